/* Is this store able to accept? Its connections, its settings, and saying so when that changes. */
#include "server/redis/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/conn.h"

#define CHECK_MS 5000      /* settings, while all is well */
#define CHECK_SOON_MS 1000 /* and while it is not */

void health_say(struct redis *redis)
{
	const char *why = NULL;
	bool is = redis_is_ready(redis, &why);

	metric_set(METRIC_STORE_READY, is);
	if (is == redis->health.was_ready)
		return;
	redis->health.was_ready = is;
	if (is)
		LOG(LOG_INFO, "store.ready", LOG_S("instance", redis->instance.id),
		    LOG_S("durability", redis_durability(redis)));
	else
		LOG(LOG_ERROR, "store.not_ready", LOG_S("reason", why));
}

/* What is no reason to refuse mail, once each. */
static void warn(const struct redis_settings *is, const struct redis_settings *was)
{
	if (is->is_unlimited && !was->is_unlimited)
		LOG(LOG_WARN, "store.no_memory_limit",
		    LOG_S("hint", "set maxmemory in Redis, so that a full queue refuses mail "
				  "instead of filling the machine"));
	if (is->loads_halves && !was->loads_halves)
		LOG(LOG_WARN, "store.loads_halves",
		    LOG_S("hint", "after a power failure Redis would run half a transaction: set "
				  "aof-load-truncated no, and run `postern redis mend` before it "
				  "starts"));
}

void health_judge(struct redis *redis, const redisReply *config)
{
	redisReply info = {.type = REDIS_REPLY_STRING,
			   .str = redis->health.info,
			   .len = redis->health.info_len};
	struct redis_settings was = redis->health.check;

	if (!redis->health.info)
		return;
	settings_check(&info, config, redis->config->assert_redis_settings, &redis->health.check);
	metric_set(METRIC_STORE_BYTES, redis->health.check.memory_bytes);
	warn(&redis->health.check, &was);
	if (!redis->health.check.holds && !redis->health.was_checked)
		LOG(LOG_ERROR, "store.settings", LOG_S("reason", redis->health.check.why));
	redis->health.was_checked = true;
	redis->health.check_at =
		clock_mono_ms() + (redis->health.check.holds ? CHECK_MS : CHECK_SOON_MS);
	health_say(redis);
}

void health_keep_time(struct redis *redis, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[0]->str &&
	    r->element[1]->str)
		redis_saw_time(redis, strtoll(r->element[0]->str, NULL, 10) * 1000 +
					      strtoll(r->element[1]->str, NULL, 10) / 1000);
}

void redis_was_late(struct redis *redis)
{
	redis->health.is_late = true;
}

void health_keep_info(struct redis *redis, const redisReply *r)
{
	char *copy = r->str ? strndup(r->str, r->len) : NULL;

	free(redis->health.info);
	redis->health.info = copy;
	redis->health.info_len = copy ? r->len : 0;
}

static void on_check_info(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	(void)why;
	if (end == CALL_ANSWERED)
		health_keep_info(arg, r);
}

static void on_check_config(redisAsyncContext *redis, void *reply, void *arg)
{
	struct calls *l = arg;

	(void)redis;
	if (reply)
		health_judge(l->redis, reply);
}

void health_ask_config(struct calls *l, redisCallbackFn *fn)
{
	struct command c = {0};
	const char *bytes;
	size_t len;

	command_start(&c, "CONFIG");
	command_str(&c, "GET");
	command_str(&c, "appendfsync");
	command_str(&c, "no-appendfsync-on-rewrite");
	command_str(&c, "aof-load-truncated");
	bytes = command_finish(&c, &len);
	if (bytes)
		conn_send(l->conn, bytes, len, fn, l);
	command_deinit(&c);
}

static void on_time(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	(void)why;
	if (end == CALL_ANSWERED)
		health_keep_time(arg, r);
}

static void ask_time(struct redis *redis)
{
	struct command c = {0};

	redis->health.is_late = false;
	command_start(&c, "TIME");
	redis_call(redis, &c, 0, 5000, on_time, redis);
}

static void check_again(struct redis *redis)
{
	struct command c = {0};

	redis->health.check_at = clock_mono_ms() + CHECK_MS;
	command_start(&c, "INFO");
	redis_call(redis, &c, 0, 5000, on_check_info, redis);
	health_ask_config(&redis->links[0], on_check_config);
	ask_time(redis);
}

void health_tick(struct redis *redis)
{
	if (redis->links[0].is_up && clock_mono_ms() >= redis->health.check_at)
		check_again(redis);
	else if (redis->links[0].is_up && redis->health.is_late)
		ask_time(redis);
	health_say(redis);
}
