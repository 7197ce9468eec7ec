/* One connection to Redis, which reconnects by itself. */
#include "server/redis/conn.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <hiredis/adapters/libevent.h>

#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/redis/command.h"
#include "server/redis/resolver.h"
#include "server/redis/url.h"

#define CONNECT_MS 5000
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 3000
#define CONN_WHY_MAX 480

struct conn {
	struct loop *loop;
	const struct redis_url *url;
	struct conn_events events;
	struct evdns_base *dns;
	unsigned resolver_turn;   /* which name server is asked; the next one after each failure */
	redisAsyncContext *redis; /* NULL = none */
	struct loop_timer timer;  /* the next attempt, or the limit of this one */
	bool is_connecting;
	bool is_closing; /* conn_free is under way */
	long delay_ms;
	uint64_t queued; /* octets given to hiredis on this connection */
	struct {
		uint64_t queued, written;
		size_t reader_len, reader_at;
	} seen; /* by conn_has_moved */
	char why[CONN_WHY_MAX - REDIS_URL_ADDRESS_MAX - 16];
};

static void try_connect(void *arg);

static void plan_retry(struct conn *c)
{
	c->is_connecting = false;
	if (c->is_closing)
		return;
	loop_timer_set(&c->timer, c->delay_ms);
	c->delay_ms = c->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : c->delay_ms * 2;
}

static void lost(struct conn *c, const char *why)
{
	char address[REDIS_URL_ADDRESS_MAX], text[CONN_WHY_MAX];

	c->redis = NULL;
	plan_retry(c);
	if (c->is_closing)
		return;
	redis_url_address(c->url, address);
	snprintf(text, sizeof(text), "Redis at %s: %s", address, why);
	c->events.on_lost(c, text, c->events.arg);
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
	struct conn *c = redis->data;
	const char *why = status == REDIS_OK ? "closed" : redis->errstr;

	if (!c || c->redis != redis)
		return;
	if (!*c->why)
		snprintf(c->why, sizeof(c->why), "%s", why);
	lost(c, c->why);
}

static void on_hello(redisAsyncContext *redis, void *reply, void *arg)
{
	const redisReply *r = reply;
	struct conn *c = redis->data;

	(void)arg;
	if (!r || !c)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		conn_drop(c, r->str);
}

static bool add_output(struct conn *c, const char *bytes, size_t len, redisCallbackFn *fn,
		       void *arg)
{
	if (redisAsyncFormattedCommand(c->redis, fn, arg, bytes, len) != REDIS_OK)
		return false;
	c->queued += len;
	return true;
}

static bool send_hello(struct conn *c, struct command *take)
{
	size_t len;
	const char *bytes = command_finish(take, &len);
	bool is_sent = bytes && add_output(c, bytes, len, on_hello, NULL);

	buf_wipe(&take->bytes);
	return is_sent;
}

/* AUTH and SELECT. False: out of memory. */
static bool say_hello(struct conn *c)
{
	struct command auth = {0}, select = {0};

	if (*c->url->password) {
		command_start(&auth, "AUTH");
		if (*c->url->user)
			command_str(&auth, c->url->user);
		command_str(&auth, c->url->password);
		if (!send_hello(c, &auth))
			return false;
	}
	if (!c->url->db)
		return true;
	command_start(&select, "SELECT");
	command_num(&select, c->url->db);
	return send_hello(c, &select);
}

static void on_connect(const redisAsyncContext *redis, int status)
{
	struct conn *c = redis->data;

	if (!c)
		return;
	if (status != REDIS_OK) {
		snprintf(c->why, sizeof(c->why), "%s", redis->errstr);
		lost(c, c->why); /* hiredis frees the context */
		return;
	}
	/* Without SELECT it would be another database. The limit of this try ends it: hiredis does
	 * not allow that here. */
	if (!say_hello(c))
		return;
	c->is_connecting = false;
	loop_timer_cancel(&c->timer);
	c->events.on_connected(c, c->events.arg);
}

static void start(struct conn *c, const char *address)
{
	redisAsyncContext *redis = *c->url->path ? redisAsyncConnectUnix(c->url->path)
						 : redisAsyncConnect(address, c->url->port);

	if (!redis || redis->err) {
		snprintf(c->why, sizeof(c->why), "%s", redis ? redis->errstr : "out of memory");
		if (redis)
			redisAsyncFree(redis);
		lost(c, c->why);
		return;
	}
	c->redis = redis;
	c->queued = 0;
	memset(&c->seen, 0, sizeof(c->seen));
	c->why[0] = 0;
	redis->data = c;
	redisLibeventAttach(redis, loop_base(c->loop));
	redisAsyncSetConnectCallback(redis, on_connect);
	redisAsyncSetDisconnectCallback(redis, on_disconnect);
	if (!*c->url->path)
		redisEnableKeepAlive(&redis->c);
	loop_timer_set(&c->timer, CONNECT_MS);
}

static void on_address(int result, struct evutil_addrinfo *list, void *arg)
{
	struct conn *c = arg;
	char address[INET6_ADDRSTRLEN] = "";

	if (result == EVUTIL_EAI_CANCEL) {
		return; /* conn_free */
	}
	if (result == 0 && list)
		getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0,
			    NI_NUMERICHOST);
	if (list)
		evutil_freeaddrinfo(list);
	if (*address) {
		start(c, address);
		return;
	}
	c->resolver_turn++;
	snprintf(c->why, sizeof(c->why), "cannot resolve the name: %s",
		 evutil_gai_strerror(result));
	lost(c, c->why);
}

static void resolve(struct conn *c)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	if (c->dns)
		evdns_base_free(c->dns, 0);
	c->dns = resolver_new(loop_base(c->loop), "/etc/resolv.conf", c->resolver_turn);
	if (!c->dns) {
		lost(c, "out of memory");
		return;
	}
	evdns_getaddrinfo(c->dns, c->url->host, NULL, &hints, on_address, c);
}

static void try_connect(void *arg)
{
	struct conn *c = arg;
	unsigned char any[16];

	if (c->redis && c->is_connecting) {
		conn_drop(c, "no connection within 5 s");
		return;
	}
	if (c->redis || c->is_connecting)
		return;
	c->is_connecting = true;
	if (*c->url->path || inet_pton(AF_INET, c->url->host, any) == 1 ||
	    inet_pton(AF_INET6, c->url->host, any) == 1)
		start(c, c->url->host);
	else
		resolve(c);
}

struct conn *conn_new(struct loop *loop, const struct redis_url *url,
		      const struct conn_events *events)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->url = url;
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
	c->is_closing = true;
	loop_timer_deinit(&c->timer);
	if (c->redis) {
		redisAsyncContext *redis = c->redis;

		c->redis = NULL;
		redisAsyncFree(redis);
	}
	if (c->dns)
		evdns_base_free(c->dns, 0);
	free(c);
}

bool conn_send(struct conn *c, const char *bytes, size_t len, redisCallbackFn *fn, void *arg)
{
	return c->redis && !c->is_connecting && add_output(c, bytes, len, fn, arg);
}

bool conn_has_moved(struct conn *c)
{
	const redisContext *redis = c && c->redis ? &c->redis->c : NULL;
	uint64_t written;
	bool has_moved;

	if (!redis)
		return false;
	written = c->queued - sdslen(redis->obuf);
	has_moved = redis->reader->len != c->seen.reader_len ||
		    redis->reader->pos != c->seen.reader_at ||
		    (written > c->seen.written && written < c->seen.queued);
	c->seen.reader_len = redis->reader->len;
	c->seen.reader_at = redis->reader->pos;
	c->seen.written = written;
	c->seen.queued = c->queued;
	return has_moved;
}

void conn_drop(struct conn *c, const char *why)
{
	redisAsyncContext *redis = c->redis;

	if (!redis)
		return;
	snprintf(c->why, sizeof(c->why), "%s", why);
	/* Not redisAsyncDisconnect, which waits for replies that may never come. The callback of
	 * hiredis finds c->redis changed and does nothing, so on_lost is called here, after the
	 * pending callbacks. */
	c->redis = NULL;
	redisAsyncFree(redis);
	lost(c, c->why);
}

void conn_is_fit(struct conn *c)
{
	c->delay_ms = DELAY_FIRST_MS;
}
