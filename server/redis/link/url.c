/* Reads POSTERN_REDIS_URL. */
#include "server/redis/link/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/number.h"
#include "server/base/percent.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379

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
		       "redis+sentinel://host:port,.../service[?db=number], "
		       "redis+cluster://host:port,..., rediss... for TLS, or "
		       "unix:///path/to/redis.sock[?db=number]",
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

/* host, host:port, [IPv6] or [IPv6]:port. out->port has the default. */
static int host_and_port(struct redis_host *out, const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *colon, *host = text;
	size_t host_len;
	int64_t port = out->port;

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
	if (host_len == 0 || host_len >= sizeof(out->name))
		return bad(e, "the host is missing");
	memcpy(out->name, host, host_len);
	if (colon && number_parse(colon + 1, (size_t)(end - colon - 1), 1, 65535, &port) < 0)
		return bad(e, "the port must be 1-65535");
	out->port = (int)port;
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

/* Reads the part before the last @ of an authority, and returns what follows; NULL: it is wrong. */
static const char *skip_credentials(struct redis_url *u, const char *rest, const char *end,
				    struct err *e)
{
	const char *at = NULL;

	/* The last @: a password may have one that is not encoded. */
	for (const char *p = rest; p < end; p++)
		if (*p == '@')
			at = p;
	if (!at)
		return rest;
	return credentials(u, rest, (size_t)(at - rest), e) < 0 ? NULL : at + 1;
}

static int parse_tcp(struct redis_url *u, const char *rest, struct err *e)
{
	const char *slash = strchr(rest, '/');
	const char *end = slash ? slash : rest + strlen(rest);

	rest = skip_credentials(u, rest, end, e);
	if (!rest || (slash && slash[1] && database(u, slash + 1, e) < 0))
		return -1;
	u->host.port = REDIS_PORT;
	return host_and_port(&u->host, rest, (size_t)(end - rest), e);
}

static int parse_hosts(struct redis_url *u, const char *text, const char *end, int port,
		       struct err *e)
{
	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		struct redis_host *host = &u->hosts[u->n_hosts];

		if (u->n_hosts++ == REDIS_HOSTS_MAX)
			return bad(e, "at most 8 hosts");
		host->port = port;
		if (host_and_port(host, text, (size_t)((comma ? comma : end) - text), e) < 0)
			return -1;
		if (!comma)
			return 0;
		text = comma + 1;
	}
}

static int parse_sentinels(struct redis_url *u, const char *rest, struct err *e)
{
	const char *slash = strchr(rest, '/');
	const char *end = slash ? slash : rest + strlen(rest);
	const char *query = slash ? strchr(slash, '?') : NULL;
	size_t len = slash ? (query ? (size_t)(query - slash) : strlen(slash)) - 1 : 0;

	rest = skip_credentials(u, rest, end, e);
	if (!rest || parse_hosts(u, rest, end, SENTINEL_PORT, e) < 0)
		return -1;
	if (query && strncmp(query, "?db=", 4) != 0)
		return bad(e, "only db=number may follow the ?");
	if (query && database(u, query + 4, e) < 0)
		return -1;
	if (len == 0)
		return bad(e, "the service is missing: the name that the sentinels have for the "
			      "master");
	if (decode(u->service, sizeof(u->service), slash + 1, len) < 0)
		return bad(e, "the service is too long or badly encoded");
	return 0;
}

/* Nothing may follow the hosts, but "/" and "/0" are no error. */
static int parse_cluster(struct redis_url *u, const char *rest, struct err *e)
{
	const char *slash = strchr(rest, '/');
	const char *end = slash ? slash : rest + strlen(rest);

	u->is_cluster = true;
	rest = skip_credentials(u, rest, end, e);
	if (!rest)
		return -1;
	if ((slash && slash[1] && strcmp(slash, "/0") != 0) ||
	    memchr(rest, '?', (size_t)(end - rest)))
		return bad(e, "a cluster has only database 0: nothing may follow its hosts");
	return parse_hosts(u, rest, end, REDIS_PORT, e);
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

static const struct scheme {
	const char *start;
	int (*parse)(struct redis_url *u, const char *rest, struct err *e);
	bool is_tls;
} schemes[] = {
	{"redis://", parse_tcp, false},
	{"rediss://", parse_tcp, true},
	{"redis+sentinel://", parse_sentinels, false},
	{"rediss+sentinel://", parse_sentinels, true},
	{"redis+cluster://", parse_cluster, false},
	{"rediss+cluster://", parse_cluster, true},
	{"unix://", parse_unix, false},
};

static int parse_by_scheme(struct redis_url *u, const char *text, struct err *e)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].start);

		if (strncmp(text, schemes[i].start, len) != 0)
			continue;
		u->is_tls = schemes[i].is_tls;
		return schemes[i].parse(u, text + len, e);
	}
	return bad(e, "it begins with none of the known schemes");
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
	} else if (parse_by_scheme(&u, text, e) < 0) {
		return -1;
	}
	*url = u;
	return 0;
}

void redis_host_text(const struct redis_host *host, char text[REDIS_HOST_TEXT_MAX])
{
	bool is_v6 = strchr(host->name, ':') != NULL;

	snprintf(text, REDIS_HOST_TEXT_MAX, "%s%s%s:%d", is_v6 ? "[" : "", host->name,
		 is_v6 ? "]" : "", host->port);
}

bool redis_host_is(const struct redis_host *a, const struct redis_host *b)
{
	return a->port == b->port && strcmp(a->name, b->name) == 0;
}

static void add_text(char address[REDIS_URL_ADDRESS_MAX], const char *before, const char *text)
{
	size_t len = strlen(address);

	snprintf(address + len, REDIS_URL_ADDRESS_MAX - len, "%s%s", before, text);
}

void redis_url_address(const struct redis_url *url, char address[REDIS_URL_ADDRESS_MAX])
{
	char text[REDIS_HOST_TEXT_MAX];

	snprintf(address, REDIS_URL_ADDRESS_MAX, "%s", url->path);
	if (*url->host.name) {
		redis_host_text(&url->host, text);
		add_text(address, "", text);
	}
	for (unsigned i = 0; i < url->n_hosts; i++) {
		redis_host_text(&url->hosts[i], text);
		add_text(address, i ? "," : "", text);
	}
	if (*url->service)
		add_text(address, "/", url->service);
	snprintf(text, sizeof(text), "%d", url->db);
	if (url->db)
		add_text(address, *url->host.name ? "/" : "?db=", text);
}
