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

void health_say(struct store *s)
{
	const char *why = NULL;
	bool is = store_is_ready(s, &why);

	metric_set(METRIC_STORE_READY, is);
	if (is == s->health.was_ready)
		return;
	s->health.was_ready = is;
	if (is)
		LOG(LOG_INFO, "store.ready", LOG_S("instance", s->instance.id),
		    LOG_S("durability", store_durability(s)));
	else
		LOG(LOG_ERROR, "store.not_ready", LOG_S("reason", why));
}

/* What is no reason to refuse mail, once each. */
static void warn(const struct check *is, const struct check *was)
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

void health_judge(struct store *s, const redisReply *config)
{
	redisReply info = {
		.type = REDIS_REPLY_STRING, .str = s->health.info, .len = s->health.info_len};
	struct check was = s->health.check;

	if (!s->health.info)
		return;
	check_settings(&info, config, s->config->assert_redis_settings, &s->health.check);
	metric_set(METRIC_STORE_BYTES, s->health.check.memory_bytes);
	warn(&s->health.check, &was);
	if (!s->health.check.holds && !s->health.was_checked)
		LOG(LOG_ERROR, "store.settings", LOG_S("reason", s->health.check.why));
	s->health.was_checked = true;
	s->health.check_at = clock_mono_ms() + (s->health.check.holds ? CHECK_MS : CHECK_SOON_MS);
	health_say(s);
}

void health_keep_time(struct store *s, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[0]->str &&
	    r->element[1]->str)
		store_saw_time(s, strtoll(r->element[0]->str, NULL, 10) * 1000 +
					  strtoll(r->element[1]->str, NULL, 10) / 1000);
}

void store_was_late(struct store *s)
{
	s->health.is_late = true;
}

void health_keep_info(struct store *s, const redisReply *r)
{
	char *copy = r->str ? strndup(r->str, r->len) : NULL;

	free(s->health.info);
	s->health.info = copy;
	s->health.info_len = copy ? r->len : 0;
}

static void on_check_info(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	(void)why;
	if (end == CALL_ANSWERED)
		health_keep_info(arg, r);
}

static void on_check_config(redisAsyncContext *redis, void *reply, void *arg)
{
	struct link *l = arg;

	(void)redis;
	if (reply)
		health_judge(l->store, reply);
}

void health_ask_config(struct link *l, redisCallbackFn *fn)
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

static void ask_time(struct store *s)
{
	struct command c = {0};

	s->health.is_late = false;
	command_start(&c, "TIME");
	store_call(s, &c, 0, 5000, on_time, s);
}

static void check_again(struct store *s)
{
	struct command c = {0};

	s->health.check_at = clock_mono_ms() + CHECK_MS;
	command_start(&c, "INFO");
	store_call(s, &c, 0, 5000, on_check_info, s);
	health_ask_config(&s->links[0], on_check_config);
	ask_time(s);
}

void health_tick(struct store *s)
{
	if (s->links[0].is_up && clock_mono_ms() >= s->health.check_at)
		check_again(s);
	else if (s->links[0].is_up && s->health.is_late)
		ask_time(s);
	health_say(s);
}
