/* One connection to Redis, which reconnects by itself. */
#include "server/redis/link/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/loop.h"
#include "server/redis/link/command.h"
#include "server/redis/link/dial.h"
#include "server/redis/link/hint.h"
#include "server/redis/link/sentinel.h"
#include "server/redis/link/url.h"

#define CONNECT_MS 5000
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 3000
#define WATCH_MS 2000 /* the sentinels are asked whether the master is still the same */
#define FAILOVER_DELAY_MAX_MS 1000 /* with sentinels or a cluster: a failover takes seconds */
#define CONN_WHY_MAX 480
/* Of the server and the reason in it, so that the hint after them fits. */
#define SERVER_TEXT_MAX 130
#define WHY_MAX 240

struct conn {
	struct loop *loop;
	struct conn_target target;
	struct conn_events events;
	struct sentinel *sentinel; /* NULL = the URL has the host of Redis */
	struct dial dial;
	struct pipeline *pipeline; /* NULL = the stream is not open yet */
	struct loop_timer timer;   /* the next attempt, the limit for ROLE, or the next watch */
	struct redis_host master;  /* as the sentinels named it; name "" = not yet */
	bool is_connecting;
	long delay_ms;
	char why[CONN_WHY_MAX];
};

/* ---- the end of a connection ---- */

static void plan_retry(struct conn *c)
{
	long max = c->sentinel || c->target.node ? FAILOVER_DELAY_MAX_MS : DELAY_MAX_MS;

	c->is_connecting = false;
	loop_timer_set(&c->timer, c->delay_ms);
	c->delay_ms = c->delay_ms * 2 > max ? max : c->delay_ms * 2;
}

/* What an operator can do about the reason. */
static const char *hint_for(const struct conn *c, bool has_replied)
{
	bool may_be_tls = !*c->target.url->path;
	const char *hint = NULL;

	if (c->target.tls)
		hint = hint_about_tls(c->why, true, has_replied);
	if (hint)
		return hint;
	if (c->sentinel && *c->master.name && !has_replied)
		return "if no failover follows, most sentinels may be down: ask one with SENTINEL "
		       "CKQUORUM";
	if (!c->target.node && (strstr(c->why, "MOVED ") || strstr(c->why, "CLUSTERDOWN")))
		return "this Redis is a node of a cluster: use redis+cluster://";
	if (!c->sentinel && strstr(c->why, "unknown command"))
		return "if this is the port of a sentinel, use redis+sentinel://host:port/service; "
		       "else this Redis is older than 7.0";
	if (!c->target.tls && may_be_tls)
		hint = hint_about_tls(c->why, false, has_replied);
	if (!hint && c->target.node && !has_replied)
		return "the cluster announces this address; if it is wrong from here, set "
		       "cluster-announce-ip";
	return hint;
}

/* Frees what there is of a connection: the callbacks of its commands get NULL. */
static bool close_stream(struct conn *c)
{
	struct pipeline *pipeline = c->pipeline;
	bool has_replied = pipeline && pipeline_has_replied(pipeline);

	c->pipeline = NULL;
	pipeline_free(pipeline);
	dial_close(&c->dial);
	return has_replied;
}

/* "Redis at host:port". With sentinels it is the master that they named, with a cluster a node. */
static void name_server(const struct conn *c, char *out, size_t size)
{
	char address[REDIS_URL_ADDRESS_MAX], host[REDIS_HOST_TEXT_MAX];

	redis_url_address(c->target.url, address);
	redis_host_text(&c->master, host);
	if (c->target.node)
		redis_host_text(c->target.node, host);
	if (c->target.node)
		snprintf(out, size, "Redis at %s (node of the cluster)", host);
	else if (!c->sentinel)
		snprintf(out, size, "Redis at %s", address);
	else if (*c->master.name)
		snprintf(out, size, "Redis at %s (master of %s)", host, c->target.url->service);
	else
		snprintf(out, size, "no sentinel knows the master of %s", c->target.url->service);
}

/* Ends the connection, or the attempt to make one; the next attempt follows. */
static void fail(struct conn *c, const char *why)
{
	char server[REDIS_URL_ADDRESS_MAX + 16], text[CONN_WHY_MAX];
	const char *hint;
	bool has_replied;

	snprintf(c->why, sizeof(c->why), "%s", why);
	if (c->is_connecting && *c->master.name)
		sentinel_distrust(c->sentinel);
	has_replied = close_stream(c);
	plan_retry(c);
	hint = hint_for(c, has_replied);
	name_server(c, server, sizeof(server));
	snprintf(text, sizeof(text), "%.*s: %.*s%s%s%s", SERVER_TEXT_MAX, server, WHY_MAX, c->why,
		 hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
	c->events.on_lost(c, text, c->events.arg);
}

void conn_drop(struct conn *c, const char *why)
{
	if (c->dial.stream)
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

/* AUTH and SELECT. False: out of memory. */
static bool say_hello(struct conn *c)
{
	const struct redis_url *url = c->target.url;
	struct command auth = {0}, select = {0};

	if (*url->password) {
		command_auth(&auth, url->user, url->password);
		if (!pipeline_send_command(c->pipeline, &auth, on_hello, c))
			return false;
	}
	if (!url->db)
		return true;
	command_start(&select, "SELECT");
	command_num(&select, url->db);
	return pipeline_send_command(c->pipeline, &select, on_hello, c);
}

static void be_connected(struct conn *c)
{
	c->is_connecting = false;
	if (c->sentinel)
		loop_timer_set(&c->timer, WATCH_MS);
	c->events.on_connected(c, c->events.arg);
}

static void on_role(const redisReply *r, void *arg)
{
	struct conn *c = arg;
	const redisReply *role =
		r && r->type == REDIS_REPLY_ARRAY && r->elements ? r->element[0] : NULL;

	if (!r)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		fail(c, r->str);
	else if (!role || !role->str || strcmp(role->str, "master") != 0)
		fail(c, "it is not a master (ROLE): a failover is not over, or the sentinels "
			"disagree");
	else
		be_connected(c);
}

/* The sentinels may name a master that has become a replica, or that is not promoted yet. */
static bool ask_role(struct conn *c)
{
	struct command role = {0};

	command_start(&role, "ROLE");
	loop_timer_set(&c->timer, CONNECT_MS);
	return pipeline_send_command(c->pipeline, &role, on_role, c);
}

/* Without SELECT it would be another database: what cannot be sent ends the connection. */
static void on_open(struct stream *stream, void *arg)
{
	struct conn *c = arg;

	c->pipeline = pipeline_new(c->loop, stream, on_broken, c);
	if (!c->pipeline || !say_hello(c) || (c->sentinel && !ask_role(c)))
		fail(c, "out of memory");
	else if (!c->sentinel)
		be_connected(c);
}

static void on_moved(void *arg)
{
	struct conn *c = arg;

	if (c->pipeline)
		pipeline_move(c->pipeline);
}

/* ---- connecting ---- */

static bool is_connected(const struct conn *c)
{
	return c->pipeline && !c->is_connecting;
}

/* A master that hangs or is cut off does not say that it was replaced. */
static void watch(struct conn *c, const struct redis_host *master)
{
	char host[REDIS_HOST_TEXT_MAX], why[REDIS_HOST_TEXT_MAX + 64];

	if (master->port == c->master.port && strcmp(master->name, c->master.name) == 0) {
		loop_timer_set(&c->timer, WATCH_MS);
		return;
	}
	redis_host_text(master, host);
	snprintf(why, sizeof(why), "the sentinels name another master, %s", host);
	fail(c, why);
}

static void on_master(const struct redis_host *master, void *arg)
{
	struct conn *c = arg;

	if (is_connected(c)) {
		watch(c, master);
	} else if (c->is_connecting) {
		c->master = *master;
		dial_start(&c->dial, "", master, CONNECT_MS);
	}
}

static void on_no_master(const char *why, void *arg)
{
	struct conn *c = arg;

	if (is_connected(c))
		loop_timer_set(&c->timer, WATCH_MS);
	else if (c->is_connecting)
		fail(c, why);
}

static void on_timer(void *arg)
{
	struct conn *c = arg;

	if (c->dial.stream && c->is_connecting) {
		fail(c, "no reply to ROLE within 5 s");
		return;
	}
	if (c->is_connecting)
		return;
	if (is_connected(c)) {
		sentinel_ask(c->sentinel);
		return;
	}
	c->is_connecting = true;
	c->master.name[0] = 0;
	if (c->sentinel)
		sentinel_ask(c->sentinel);
	else
		dial_start(&c->dial, c->target.url->path,
			   c->target.node ? c->target.node : &c->target.url->host, CONNECT_MS);
}

/* ---- for the user ---- */

static int init(struct conn *c)
{
	const struct conn_target *t = &c->target;

	if (*t->url->service) {
		c->sentinel = sentinel_new(c->loop, t->url, t->tls,
					   &(struct sentinel_events){on_master, on_no_master, c});
		if (!c->sentinel)
			return -1;
	}
	if (dial_init(&c->dial, c->loop, t->tls,
		      &(struct dial_events){on_open, on_moved, on_broken, c}) < 0)
		return -1;
	return loop_timer_init(&c->timer, c->loop, on_timer, c);
}

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
	if (init(c) < 0) {
		conn_free(c);
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
	sentinel_free(c->sentinel);
	dial_deinit(&c->dial);
	free(c);
}

bool conn_send(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	return is_connected(c) && pipeline_send(c->pipeline, bytes, len, fn, arg);
}

bool conn_send_command(struct conn *c, struct command *take, reply_fn *fn, void *arg)
{
	if (is_connected(c))
		return pipeline_send_command(c->pipeline, take, fn, arg);
	command_deinit(take);
	return false;
}

bool conn_listen(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg)
{
	return is_connected(c) && pipeline_listen(c->pipeline, bytes, len, fn, arg);
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
