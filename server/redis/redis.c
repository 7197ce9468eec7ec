/* The store of a process: its connections to Redis, and what the parts keep in it. */
#include "server/redis/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/redis/conn.h"
#include "server/redis/internal.h"

#define TICK_MS 200

static void tick(void *arg)
{
	struct redis *redis = arg;

	loop_timer_set(&redis->tick, TICK_MS);
	for (int i = 0; i < REDIS_LINKS; i++)
		calls_tick(&redis->links[i]);
	health_tick(redis);
}

void redis_call(struct redis *redis, struct command *take, unsigned conn, int64_t limit_ms,
		call_fn *fn, void *arg)
{
	calls_add(&redis->links[conn % REDIS_LINKS], take, limit_ms, fn, arg);
}

int redis_open(struct redis **out, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e)
{
	struct redis *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return err_oom(e);
	redis->loop = loop;
	redis->config = config;
	redis->partitions = 1;
	snprintf(redis->health.lost_why, sizeof(redis->health.lost_why), "not connected yet");
	if (store_url_parse(config, &redis->url, e) < 0 ||
	    instance_load(&redis->instance, config->data_dir, e) < 0) {
		free(redis);
		return -1;
	}
	for (int i = 0; i < REDIS_LINKS; i++) {
		struct calls *l = &redis->links[i];

		l->redis = redis;
		l->conn = conn_new(loop, &redis->url,
				   &(struct conn_events){handshake_connected, handshake_lost, l});
		if (!l->conn) {
			redis_close(redis);
			return err_oom(e);
		}
	}
	if (needs & REDIS_SUBSCRIBER)
		redis->subscriber = subscriber_new(redis, &redis->url);
	if (((needs & REDIS_SUBSCRIBER) && !redis->subscriber) ||
	    loop_timer_init(&redis->tick, loop, tick, redis) < 0) {
		redis_close(redis);
		return err_oom(e);
	}
	loop_timer_set(&redis->tick, TICK_MS);
	*out = redis;
	return 0;
}

static void abandon_calls(struct redis *redis)
{
	for (int i = 0; i < REDIS_LINKS; i++)
		calls_abandon(&redis->links[i]);
}

/* Calls before parts: what a call brought along may end up waiting in a part. And once more, for
 * what those who were told asked on. */
void redis_abandon(struct redis *redis)
{
	if (!redis)
		return;
	abandon_calls(redis);
	for (int i = 0; i < REDIS_PARTS; i++)
		if (redis->parts[i].state && redis->parts[i].kind->abandon)
			redis->parts[i].kind->abandon(redis->parts[i].state);
	abandon_calls(redis);
}

void redis_close(struct redis *redis)
{
	if (!redis)
		return;
	for (int i = 0; i < REDIS_PARTS; i++)
		if (redis->parts[i].state)
			redis->parts[i].kind->free_fn(redis->parts[i].state);
	loop_timer_deinit(&redis->tick);
	subscriber_free(redis->subscriber);
	for (int i = 0; i < REDIS_LINKS; i++)
		calls_close(&redis->links[i]);
	free(redis->health.info);
	free(redis);
}

bool redis_is_ready(const struct redis *redis, const char **why)
{
	const char *reason = NULL;

	if (!redis_is_connected(redis))
		reason = redis->health.lost_why;
	else if (!redis->health.check.is_able ||
		 (!redis->health.check.holds && redis->config->durability != DURABILITY_RELAXED))
		reason = redis->health.check.why;
	if (why)
		*why = reason;
	return !reason;
}

bool redis_is_connected(const struct redis *redis)
{
	return redis->links[0].is_up && redis->links[1].is_up;
}

const char *redis_durability(const struct redis *redis)
{
	return redis->health.check.holds ? "fsync" : "relaxed";
}

int64_t redis_clock_offset_ms(const struct redis *redis)
{
	return redis->offset_ms;
}

void redis_saw_time(struct redis *redis, int64_t redis_ms)
{
	redis->offset_ms = redis_ms - clock_real_ms();
}

unsigned redis_partitions(const struct redis *redis)
{
	return redis->partitions;
}

void *redis_part(struct redis *redis, enum redis_part which, const struct redis_part_kind *kind)
{
	if (!redis->parts[which].state) {
		redis->parts[which].state = kind->make(redis);
		redis->parts[which].kind = kind;
	}
	return redis->parts[which].state;
}

struct loop *redis_loop(struct redis *redis)
{
	return redis->loop;
}

const struct config *redis_config(const struct redis *redis)
{
	return redis->config;
}

void redis_subscribe(struct redis *redis, const char *name, channel_fn *fn, void *arg)
{
	if (redis->subscriber)
		subscriber_add(redis->subscriber, name, fn, arg);
}

/* Looks every 20 ms whether the store is ready, until the limit. */
struct wait {
	struct redis *redis;
	struct loop_timer timer;
	int64_t limit_at;
};

static void wait_look(void *arg)
{
	struct wait *w = arg;

	if (redis_is_ready(w->redis, NULL) || clock_mono_ms() >= w->limit_at)
		loop_stop(w->redis->loop);
	else
		loop_timer_set(&w->timer, 20);
}

int redis_wait_ready(struct redis *redis, int64_t ms, struct err *e)
{
	struct wait w = {.redis = redis, .limit_at = clock_mono_ms() + ms};
	const char *why;

	if (loop_timer_init(&w.timer, redis->loop, wait_look, &w) < 0)
		return err_oom(e);
	loop_timer_set(&w.timer, 0);
	loop_run(redis->loop);
	loop_timer_deinit(&w.timer);
	if (!redis_is_ready(redis, &why))
		return err_set(e, ERR_RETRY, "the store is not ready: %s", why);
	return 0;
}
