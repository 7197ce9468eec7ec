/* What a fresh connection does first: scripts, meta, partitions, settings. The answers come in
 * order. */
#include "server/redis/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/conn.h"
#include "server/redis/script.h"

#define SCHEMA "1"

static void step_failed(struct calls *l, const char *what, const char *reason)
{
	char why[200];

	snprintf(why, sizeof(why), "%s: %s", what, reason);
	conn_drop(l->conn, why);
}

static void step_done(struct calls *l)
{
	if (l->steps_left == 0 || --l->steps_left > 0)
		return;
	LOG(LOG_DEBUG, "store.connected", LOG_N("connection", l - l->redis->links));
	calls_went_up(l);
	health_say(l->redis);
}

static void on_step(redisAsyncContext *redis, void *reply, void *arg)
{
	struct calls *l = arg;
	const redisReply *r = reply;

	(void)redis;
	if (!r)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		step_failed(l, "Redis refused the handshake", r->str);
	else
		step_done(l);
}

static void on_step_info(redisAsyncContext *redis, void *reply, void *arg)
{
	struct calls *l = arg;
	const redisReply *r = reply;

	if (r && r->type == REDIS_REPLY_STRING)
		health_keep_info(l->redis, r);
	on_step(redis, reply, arg);
}

static void on_step_config(redisAsyncContext *redis, void *reply, void *arg)
{
	struct calls *l = arg;

	(void)redis;
	if (!reply)
		return;
	health_judge(l->redis, reply); /* an error reply is an answer too: denied */
	step_done(l);
}

static void on_step_time(redisAsyncContext *redis, void *reply, void *arg)
{
	struct calls *l = arg;

	if (reply)
		health_keep_time(l->redis, reply);
	on_step(redis, reply, arg);
}

static void send_step(struct calls *l, struct command *c, redisCallbackFn *fn)
{
	size_t len;
	const char *bytes = command_finish(c, &len);

	l->steps_left++;
	if (!bytes || !conn_send(l->conn, bytes, len, fn, l))
		step_failed(l, "handshake", "cannot send");
}

static void ask_partitions(struct calls *l)
{
	struct redis *redis = l->redis;
	struct command c = {0};

	for (unsigned p = 0; p < redis->partitions; p++) {
		command_script(&c, SCRIPT_INIT, p);
		send_step(l, &c, on_step);
	}
	command_start(&c, "TIME");
	send_step(l, &c, on_step_time);
	command_start(&c, "INFO");
	send_step(l, &c, on_step_info);
	l->steps_left++;
	health_ask_config(l, on_step_config);
	command_deinit(&c);
}

static int set_partitions(struct redis *redis, unsigned long n, struct err *e)
{
	if (n == 0 || n > ID_PARTITIONS)
		return err_set(e, ERR_REFUSED, "meta: the number of partitions is damaged");
	if (n != (unsigned long)redis->config->partitions)
		return err_set(e, ERR_REFUSED,
			       "the store has %lu partition%s, and POSTERN_PARTITIONS is %lld: set "
			       "it to %lu (a store keeps the number of its first use)",
			       n, n == 1 ? "" : "s", (long long)redis->config->partitions, n);
	if (n != redis->partitions && redis->subscriber)
		subscriber_restart(redis->subscriber); /* it may have subscribed to too few */
	redis->partitions = (unsigned)n;
	return 0;
}

static void on_step_meta(redisAsyncContext *context, void *reply, void *arg)
{
	struct calls *l = arg;
	const redisReply *r = reply;
	struct redis *redis = l->redis;
	struct err e;

	(void)context;
	if (!r)
		return;
	if (r->type != REDIS_REPLY_ARRAY) {
		step_failed(l, "Redis refused the handshake", r->str ? r->str : "odd answer");
		return;
	}
	for (size_t i = 0; i < r->elements; i++) {
		if (!r->element[i]->str) {
			step_failed(l, "meta", "a field is missing");
			return;
		}
	}
	if (r->elements == 3 && strcmp(r->element[0]->str, SCHEMA) != 0) {
		step_failed(l, "the store has another schema", r->element[0]->str);
		return;
	}
	if (instance_check(&redis->instance, r->elements == 3 ? r->element[2]->str : NULL, &e) <
	    0) {
		conn_drop(l->conn, e.text);
		return;
	}
	if (set_partitions(redis, strtoul(r->element[1]->str, NULL, 10), &e) < 0) {
		conn_drop(l->conn, e.text);
		return;
	}
	ask_partitions(l);
	step_done(l);
}

void handshake_connected(struct conn *conn, void *arg)
{
	struct calls *l = arg;
	struct redis *redis = l->redis;
	struct command c = {0};

	(void)conn;
	l->steps_left = SCRIPTS;
	calls_load_scripts(l, on_step);
	command_script(&c, SCRIPT_INIT, REDIS_GLOBAL);
	command_str(&c, SCHEMA);
	command_num(&c, redis->config->partitions);
	command_str(&c, id_make("ins", 0).text);
	command_str(&c, id_make("prj", 0).text);
	command_str(&c, redis->instance.id[0] ? "look" : "create");
	send_step(l, &c, on_step_meta);
	command_deinit(&c);
}

void handshake_lost(struct conn *conn, const char *why, void *arg)
{
	struct calls *l = arg;
	struct redis *redis = l->redis;

	(void)conn;
	if (l->is_up) {
		metric_add(METRIC_STORE_LOST, 1);
		LOG(LOG_WARN, "store.connection_lost", LOG_S("reason", why));
	} else if (strcmp(redis->health.lost_why, why) != 0) {
		LOG(LOG_WARN, "store.cannot_connect", LOG_S("reason", why));
	}
	l->is_up = false;
	l->steps_left = 0;
	snprintf(redis->health.lost_why, sizeof(redis->health.lost_why), "%s", why);
	health_say(redis);
}
