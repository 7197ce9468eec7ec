/* Reads POSTERN_REDIS_URL. */
#include "server/redis/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/number.h"
#include "server/base/percent.h"

/* -1: the text is too long, a percent code is wrong, or it contains NUL. */
static int decode(char *out, size_t room, const char *text, size_t len)
{
	long n = percent_decode(text, len, out, room);

	return n < 0 || (size_t)n >= room || strlen(out) != (size_t)n ? -1 : 0;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_INPUT,
		       "POSTERN_REDIS_URL: %s; write redis://[user:password@]host[:port][/db], "
		       "rediss://... for TLS, or "
		       "unix://[user:password@]/path/to/redis.sock[?db=number]",
		       what);
}

/* user:password or :password. Redis 6 and later have users; without one it is `default`. */
static int credentials(struct redis_url *u, const char *text, size_t len, struct err *e)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon ? (size_t)(colon - text) : 0;

	if (!colon)
		return bad(e, "the part before @ must be user:password or :password");
	if (decode(u->user, sizeof(u->user), text, user) < 0 ||
	    decode(u->password, sizeof(u->password), colon + 1, len - user - 1) < 0)
		return bad(e, "user or password is too long or badly encoded");
	return 0;
}

/* host, host:port, [IPv6] or [IPv6]:port. */
static int host_and_port(struct redis_url *u, const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *colon, *host = text;
	size_t host_len;
	int64_t port = 6379;

	if (len && *text == '[') {
		const char *close = memchr(text, ']', len);

		if (!close)
			return bad(e, "the [ of the address is not closed");
		host = text + 1;
		host_len = (size_t)(close - host);
		colon = close + 1 < end ? close + 1 : NULL;
		if (colon && *colon != ':')
			return bad(e, "a colon must follow the address");
	} else {
		colon = memchr(text, ':', len);
		host_len = colon ? (size_t)(colon - text) : len;
	}
	if (host_len == 0 || host_len >= sizeof(u->host))
		return bad(e, "the host is missing");
	memcpy(u->host, host, host_len);
	if (colon && number_parse(colon + 1, (size_t)(end - colon - 1), 1, 65535, &port) < 0)
		return bad(e, "the port must be 1-65535");
	u->port = (int)port;
	return 0;
}

static int database(struct redis_url *u, const char *text, struct err *e)
{
	int64_t db;

	if (number_parse(text, strlen(text), 0, 999, &db) < 0)
		return bad(e, "the database must be a number");
	u->db = (int)db;
	return 0;
}

static int parse_tcp(struct redis_url *u, const char *rest, struct err *e)
{
	const char *slash = strchr(rest, '/');
	const char *end = slash ? slash : rest + strlen(rest);
	const char *at = NULL;

	/* The last @: a password may have one that is not encoded. */
	for (const char *p = rest; p < end; p++)
		if (*p == '@')
			at = p;
	if (at && credentials(u, rest, (size_t)(at - rest), e) < 0)
		return -1;
	if (at)
		rest = at + 1;
	if (slash && slash[1] && database(u, slash + 1, e) < 0)
		return -1;
	return host_and_port(u, rest, (size_t)(end - rest), e);
}

/* "?" and "%" in the path are percent-encoded. */
static int parse_unix(struct redis_url *u, const char *rest, struct err *e)
{
	const char *at = *rest == '/' ? NULL : strstr(rest, "@/");
	const char *query;

	if (at && credentials(u, rest, (size_t)(at - rest), e) < 0)
		return -1;
	if (at)
		rest = at + 1;
	query = strchr(rest, '?');
	if (query && strncmp(query, "?db=", 4) != 0)
		return bad(e, "only db=number may follow the ? of a socket");
	if (query && database(u, query + 4, e) < 0)
		return -1;
	if (*rest != '/' || decode(u->path, sizeof(u->path), rest,
				   query ? (size_t)(query - rest) : strlen(rest)) < 0)
		return bad(e, "a socket needs an absolute path of at most 107 bytes");
	return 0;
}

int redis_url_parse(const struct config *config, struct redis_url *url, struct err *e)
{
	struct redis_url u = {0};
	const char *text = config->redis_url;
	int len;

	if (!*text) {
		len = snprintf(u.path, sizeof(u.path), "%s/redis.sock", config->data_dir);
		if (len < 0 || (size_t)len >= sizeof(u.path))
			return err_set(e, ERR_INPUT,
				       "POSTERN_DATA_DIR: the path is too long for a socket in it "
				       "(%d bytes, at most 107)",
				       len);
	} else if (strncmp(text, "unix://", 7) == 0) {
		if (parse_unix(&u, text + 7, e) < 0)
			return -1;
	} else if (strncmp(text, "redis://", 8) == 0) {
		if (parse_tcp(&u, text + 8, e) < 0)
			return -1;
	} else if (strncmp(text, "rediss://", 9) == 0) {
		u.is_tls = true;
		if (parse_tcp(&u, text + 9, e) < 0)
			return -1;
	} else {
		return bad(e, "it must begin with redis://, rediss:// or unix://");
	}
	*url = u;
	return 0;
}

void redis_url_address(const struct redis_url *url, char address[REDIS_URL_ADDRESS_MAX])
{
	bool is_v6 = strchr(url->host, ':') != NULL;
	int len;

	if (*url->path) {
		snprintf(address, REDIS_URL_ADDRESS_MAX, url->db ? "%s?db=%d" : "%s", url->path,
			 url->db);
		return;
	}
	len = snprintf(address, REDIS_URL_ADDRESS_MAX, "%s%s%s:%d", is_v6 ? "[" : "", url->host,
		       is_v6 ? "]" : "", url->port);
	if (url->db && len > 0 && len < REDIS_URL_ADDRESS_MAX)
		snprintf(address + len, REDIS_URL_ADDRESS_MAX - (size_t)len, "/%d", url->db);
}
