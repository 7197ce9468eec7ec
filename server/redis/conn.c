/* One connection to Redis, which reconnects by itself. */
#include "server/redis/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "server/base/loop.h"
#include "server/redis/command.h"
#include "server/redis/resolver.h"
#include "server/redis/url.h"
#include "server/stream/stream.h"

#define CONNECT_MS 5000
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 3000
#define KEEP_ALIVE_S 15
#define CONN_WHY_MAX 480

struct conn {
	struct loop *loop;
	struct conn_target target;
	struct conn_events events;
	struct evdns_base *dns;
	unsigned resolver_turn;    /* which name server is asked; the next one after each failure */
	struct stream *stream;     /* NULL = none */
	struct pipeline *pipeline; /* NULL = the stream is not open yet */
	struct loop_timer timer;   /* the next attempt, or the limit of this one */
	bool is_connecting;
	bool is_securing; /* the TLS handshake has begun */
	long delay_ms;
	char why[CONN_WHY_MAX - REDIS_URL_ADDRESS_MAX - 16];
};

/* ---- the end of a connection ---- */

static void plan_retry(struct conn *c)
{
	c->is_connecting = false;
	loop_timer_set(&c->timer, c->delay_ms);
	c->delay_ms = c->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : c->delay_ms * 2;
}

/* What an operator can do about a reason that a library gave. */
static const char *hint_for(const struct conn *c, bool has_replied)
{
	static const struct {
		const char *part, *hint;
	} hints[] = {
		{"wrong version number", "this port does not speak TLS: use redis://"},
		{"no TLS handshake", "if this port does not speak TLS, use redis://"},
		{"signature failure", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"self-signed", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"unable to get", "set POSTERN_REDIS_CA_FILE to the CA that signed the server"},
		{"ostname mismatch", "the certificate must have the host of POSTERN_REDIS_URL"},
		{"IP address mismatch", "the certificate must have the host of POSTERN_REDIS_URL"},
		{"certificate required", "set POSTERN_REDIS_CERT_FILE and POSTERN_REDIS_KEY_FILE"},
	};
	bool is_closed = strstr(c->why, "closed") || strstr(c->why, "reset");

	for (size_t i = 0; c->target.tls && i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(c->why, hints[i].part))
			return hints[i].hint;
	if (!c->target.tls && !*c->target.url->path && !has_replied &&
	    (is_closed || strstr(c->why, "Protocol error")))
		return "if this port speaks TLS, use rediss://";
	return NULL;
}

/* Frees what there is of a connection: the callbacks of its commands get NULL. */
static bool close_stream(struct conn *c)
{
	struct pipeline *pipeline = c->pipeline;
	struct stream *stream = c->stream;
	bool has_replied = pipeline && pipeline_has_replied(pipeline);

	c->pipeline = NULL;
	c->stream = NULL;
	pipeline_free(pipeline);
	stream_free(stream);
	return has_replied;
}

/* Ends the connection, or the attempt to make one; the next attempt follows. */
static void fail(struct conn *c, const char *why)
{
	char address[REDIS_URL_ADDRESS_MAX], text[CONN_WHY_MAX];
	const char *hint;
	bool has_replied;

	snprintf(c->why, sizeof(c->why), "%s", why);
	has_replied = close_stream(c);
	plan_retry(c);
	hint = hint_for(c, has_replied);
	redis_url_address(c->target.url, address);
	snprintf(text, sizeof(text), "Redis at %s: %s%s%s%s", address, c->why, hint ? " (" : "",
		 hint ? hint : "", hint ? ")" : "");
	c->events.on_lost(c, text, c->events.arg);
}

void conn_drop(struct conn *c, const char *why)
{
	if (c->stream)
		fail(c, why);
}

static void on_broken(const char *why, void *arg)
{
	fail(arg, why);
}

/* ---- hello ---- */

static void on_hello(const redisReply *r, void *arg)
{
	if (r && r->type == REDIS_REPLY_ERROR)
		fail(arg, r->str);
}

static bool send_hello(struct conn *c, struct command *take)
{
	size_t len;
	const char *bytes = command_finish(take, &len);
	bool is_sent = bytes && pipeline_send(c->pipeline, bytes, len, on_hello, c);

	buf_wipe(&take->bytes);
	return is_sent;
}

/* AUTH and SELECT. False: out of memory. */
static bool say_hello(struct conn *c)
{
	const struct redis_url *url = c->target.url;
	struct command auth = {0}, select = {0};

	if (*url->password) {
		command_start(&auth, "AUTH");
		if (*url->user)
			command_str(&auth, url->user);
		command_str(&auth, url->password);
		if (!send_hello(c, &auth))
			return false;
	}
	if (!url->db)
		return true;
	command_start(&select, "SELECT");
	command_num(&select, url->db);
	return send_hello(c, &select);
}

static void start_talking(struct conn *c)
{
	c->pipeline = pipeline_new(c->loop, c->stream, on_broken, c);
	if (!c->pipeline || !say_hello(c)) { /* without SELECT it would be another database */
		fail(c, "out of memory");
		return;
	}
	c->is_connecting = false;
	loop_timer_cancel(&c->timer);
	c->events.on_connected(c, c->events.arg);
}

/* ---- connecting ---- */

static void secure(struct conn *c)
{
	struct err e;

	c->is_securing = true;
	if (stream_secure(c->stream, c->target.tls, c->target.url->host, true, &e) < 0)
		fail(c, e.text);
}

static void on_stream(enum stream_event event, void *arg)
{
	struct conn *c = arg;

	switch (event) {
	case STREAM_CONNECTED:
		if (c->target.tls)
			secure(c);
		else
			start_talking(c);
		break;
	case STREAM_SECURED:
		start_talking(c);
		break;
	case STREAM_MOVED:
		if (c->pipeline)
			pipeline_move(c->pipeline);
		break;
	case STREAM_FAILED:
		fail(c, stream_why(c->stream));
		break;
	}
}

static void start(struct conn *c, const struct sockaddr_storage *address)
{
	struct err e;

	c->is_securing = false;
	loop_timer_set(&c->timer, CONNECT_MS);
	if (stream_open(&c->stream, c->loop, address, on_stream, c, &e) < 0) {
		fail(c, e.text);
		return;
	}
	if (address->ss_family != AF_UNIX)
		stream_keep_alive(c->stream, KEEP_ALIVE_S);
}

static void on_address(int result, struct evutil_addrinfo *list, void *arg)
{
	struct sockaddr_storage address = {0};
	struct conn *c = arg;
	char why[160];

	if (result == EVUTIL_EAI_CANCEL)
		return; /* conn_free */
	if (result == 0 && list)
		memcpy(&address, list->ai_addr, list->ai_addrlen);
	if (list)
		evutil_freeaddrinfo(list);
	if (address.ss_family) {
		start(c, &address);
		return;
	}
	c->resolver_turn++;
	snprintf(why, sizeof(why), "cannot resolve the name: %s", evutil_gai_strerror(result));
	fail(c, why);
}

static void resolve(struct conn *c)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char port[8];

	if (c->dns)
		evdns_base_free(c->dns, 0);
	c->dns = resolver_new(loop_base(c->loop), "/etc/resolv.conf", c->resolver_turn);
	if (!c->dns) {
		fail(c, "out of memory");
		return;
	}
	snprintf(port, sizeof(port), "%d", c->target.url->port);
	evdns_getaddrinfo(c->dns, c->target.url->host, port, &hints, on_address, c);
}

/* Reads the path of a socket, or a numeric address. False: a name. */
static bool read_address(const struct redis_url *url, struct sockaddr_storage *out)
{
	struct sockaddr_un *local = (void *)out;
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	*out = (struct sockaddr_storage){0};
	if (*url->path) {
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof(local->sun_path), "%s", url->path);
		return true;
	}
	if (inet_pton(AF_INET, url->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)url->port);
		return true;
	}
	if (inet_pton(AF_INET6, url->host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)url->port);
	return true;
}

static void try_connect(void *arg)
{
	struct conn *c = arg;
	struct sockaddr_storage address;

	if (c->stream && c->is_connecting) {
		fail(c,
		     c->is_securing ? "no TLS handshake within 5 s" : "no connection within 5 s");
		return;
	}
	if (c->stream || c->is_connecting)
		return;
	c->is_connecting = true;
	if (read_address(c->target.url, &address))
		start(c, &address);
	else
		resolve(c);
}

/* ---- for the user ---- */

struct conn *conn_new(struct loop *loop, const struct conn_target *target,
		      const struct conn_events *events)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->target = *target;
	c->events = *events;
	c->delay_ms = DELAY_FIRST_MS;
	if (loop_timer_init(&c->timer, loop, try_connect, c) < 0) {
		free(c);
		return NULL;
	}
	loop_timer_set(&c->timer, 0);
	return c;
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	close_stream(c);
	loop_timer_deinit(&c->timer);
	if (c->dns)
		evdns_base_free(c->dns, 0);
	free(c);
}

static bool is_open(const struct conn *c)
{
	return c->pipeline && !c->is_connecting;
}

bool conn_send(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	return is_open(c) && pipeline_send(c->pipeline, bytes, len, fn, arg);
}

bool conn_send_command(struct conn *c, struct command *take, reply_fn *fn, void *arg)
{
	size_t len;
	const char *bytes = command_finish(take, &len);
	bool is_sent = bytes && conn_send(c, bytes, len, fn, arg);

	command_deinit(take);
	return is_sent;
}

bool conn_listen(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	return is_open(c) && pipeline_listen(c->pipeline, bytes, len, fn, arg);
}

void conn_keep_reply(struct conn *c)
{
	if (c->pipeline)
		pipeline_keep_reply(c->pipeline);
}

bool conn_has_moved(struct conn *c)
{
	return c && c->pipeline && pipeline_has_moved(c->pipeline);
}

void conn_is_fit(struct conn *c)
{
	c->delay_ms = DELAY_FIRST_MS;
}
