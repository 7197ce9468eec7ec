/* Reads the URL of the relay. */
#include "server/route/relay_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/base/number.h"
#include "server/base/percent.h"
#include "server/route/mx.h"

#define URL_MAX 4096 /* every byte of user and password may take three */

struct span {
	const char *text;
	size_t len;
};

static const char *fault_of(const char *text, size_t len)
{
	if (!len)
		return "is empty";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "holds a control character";
	return NULL;
}

static int decode(struct span s, char *out, size_t max, const char *what, struct err *e)
{
	char text[URL_MAX + 1];
	long len = percent_decode(s.text, s.len, text, sizeof(text));
	const char *fault = len < 0 ? "has a % that is not followed by two hex digits (write % "
				      "itself as %25)"
				    : fault_of(text, (size_t)len);

	if (!fault && (size_t)len <= max)
		memcpy(out, text, (size_t)len + 1);
	explicit_bzero(text, sizeof(text));
	if (fault)
		return err_set(e, ERR_INPUT, "the %s %s", what, fault);
	if ((size_t)len > max)
		return err_set(e, ERR_INPUT, "the %s is longer than %zu bytes", what, max);
	return 0;
}

static int read_scheme(struct span *s, struct relay_url *u, struct err *e)
{
	static const struct {
		const char *prefix;
		bool is_implicit_tls;
	} schemes[] = {{"smtp://", false}, {"smtps://", true}};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t len = strlen(schemes[i].prefix);

		if (s->len < len || strncasecmp(s->text, schemes[i].prefix, len) != 0)
			continue;
		u->is_implicit_tls = schemes[i].is_implicit_tls;
		s->text += len;
		s->len -= len;
		return 0;
	}
	return err_set(e, ERR_INPUT, "must begin with smtp:// or smtps://");
}

/* A password may have an @ that is not encoded. */
static const char *last_at(const struct span *s)
{
	for (size_t i = s->len; i > 0; i--) {
		if (s->text[i - 1] == '@')
			return s->text + i - 1;
	}
	return NULL;
}

/* Ports of submission with TLS (RFC 8314), of submission (RFC 6409), and of relays. */
static uint16_t default_port(const struct relay_url *u)
{
	if (u->is_implicit_tls)
		return 465;
	return u->has_user ? 587 : 25;
}

static int read_user(struct span *s, struct relay_url *u, struct err *e)
{
	const char *at = last_at(s);
	const char *colon;
	size_t len;

	if (!at)
		return 0;
	len = (size_t)(at - s->text);
	colon = memchr(s->text, ':', len);
	if (!colon)
		return err_set(e, ERR_INPUT, "a user needs a password: smtp://user:password@host");
	if (decode((struct span){s->text, (size_t)(colon - s->text)}, u->user, RELAY_URL_USER_MAX,
		   "user", e) < 0)
		return -1;
	if (decode((struct span){colon + 1, (size_t)(at - colon - 1)}, u->password,
		   RELAY_URL_PASSWORD_MAX, "password", e) < 0)
		return -1;
	u->has_user = true;
	s->text = at + 1;
	s->len -= len + 1;
	return 0;
}

static int set_host(struct relay_url *u, struct span s, bool is_bracketed, struct err *e)
{
	struct in6_addr v6;
	struct in_addr v4;

	/* A final dot is correct in DNS, but names in certificates do not have it. */
	if (!is_bracketed && s.len && s.text[s.len - 1] == '.')
		s.len--;
	if (!s.len)
		return err_set(e, ERR_INPUT, "the host is missing");
	if (s.len >= sizeof(u->host))
		return err_set(e, ERR_INPUT, "the host is longer than 253 bytes");
	for (size_t i = 0; i < s.len; i++)
		u->host[i] = (char)tolower((unsigned char)s.text[i]);
	u->host[s.len] = '\0';
	if (is_bracketed) {
		u->is_address = true;
		return inet_pton(AF_INET6, u->host, &v6) == 1
			       ? 0
			       : err_set(e, ERR_INPUT, "no IPv6 address between the brackets");
	}
	u->is_address = inet_pton(AF_INET, u->host, &v4) == 1;
	if (u->is_address || mx_is_host_name(u->host))
		return 0;
	return err_set(e, ERR_INPUT,
		       "the host is neither a name (A-labels) nor an address ([...] for IPv6)");
}

static int read_host(struct span *s, struct relay_url *u, struct err *e)
{
	bool is_bracketed = s->len && s->text[0] == '[';
	struct span host = *s;
	size_t used;

	if (is_bracketed) {
		const char *end = memchr(s->text, ']', s->len);

		if (!end)
			return err_set(e, ERR_INPUT, "a [ without ]");
		host = (struct span){s->text + 1, (size_t)(end - s->text - 1)};
		used = host.len + 2;
	} else {
		host.len = 0;
		while (host.len < s->len && !strchr(":/?", s->text[host.len]))
			host.len++;
		used = host.len;
	}
	s->text += used;
	s->len -= used;
	return set_host(u, host, is_bracketed, e);
}

static int read_port(struct span *s, struct relay_url *u, struct err *e)
{
	int64_t port = 0;
	size_t digits;

	if (!s->len || s->text[0] != ':')
		return 0;
	digits = number_read(s->text + 1, s->len - 1, 65535, &port);
	if (digits == 0 || port < 1)
		return err_set(e, ERR_INPUT, "the port must be a number from 1 to 65535");
	u->port = (uint16_t)port;
	s->text += digits + 1;
	s->len -= digits + 1;
	return 0;
}

static bool is_span(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

/* The part after host and port. */
static int read_tls(struct span s, struct relay_url *u, struct err *e)
{
	static const struct {
		const char *query;
		enum relay_url_tls tls;
	} queries[] = {{"?tls=verified", RELAY_URL_TLS_VERIFIED},
		       {"?tls=unverified", RELAY_URL_TLS_UNVERIFIED},
		       {"?tls=opportunistic", RELAY_URL_TLS_OPPORTUNISTIC}};

	/* A password is sent only to a server whose certificate was verified, unless the URL
	 * says otherwise. */
	if (u->is_implicit_tls || u->has_user)
		u->tls = RELAY_URL_TLS_VERIFIED;
	if (s.len && s.text[0] == '/')
		s = (struct span){s.text + 1, s.len - 1};
	if (!s.len)
		return 0;
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		if (!is_span(s, queries[i].query))
			continue;
		u->tls = queries[i].tls;
		if (u->is_implicit_tls && u->tls == RELAY_URL_TLS_OPPORTUNISTIC)
			return err_set(
				e, ERR_INPUT,
				"smtps:// always uses TLS, so ?tls=opportunistic is not allowed");
		return 0;
	}
	return err_set(e, ERR_INPUT,
		       "only ?tls=verified, ?tls=unverified or ?tls=opportunistic may follow the "
		       "host and port");
}

static int parse(struct span s, struct relay_url *u, struct err *e)
{
	if (s.len > URL_MAX)
		return err_set(e, ERR_INPUT, "is longer than %d bytes", URL_MAX);
	if (read_scheme(&s, u, e) < 0 || read_user(&s, u, e) < 0)
		return -1;
	u->port = default_port(u);
	if (read_host(&s, u, e) < 0 || read_port(&s, u, e) < 0)
		return -1;
	return read_tls(s, u, e);
}

int relay_url_parse(const char *text, struct relay_url *out, struct err *e)
{
	/* *out is written only if all of the URL is right. The copy on the stack has the
	 * password. */
	struct relay_url u = {0};
	int rc = parse((struct span){text, strlen(text)}, &u, e);

	if (rc == 0)
		*out = u;
	relay_url_wipe(&u);
	return rc;
}

void relay_url_wipe(struct relay_url *u)
{
	explicit_bzero(u, sizeof(*u));
}
