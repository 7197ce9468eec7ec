/* The connection of a process to Redis, and the state that parts of the store keep with it. */
#include "server/redis/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/config/config.h"
#include "server/redis/calls.h"
#include "server/redis/link/conn.h"
#include "server/redis/handshake.h"
#include "server/redis/health.h"
#include "server/redis/link/redis_tls.h"
#include "server/redis/link/url.h"
#include "server/stream/tls.h"

#define TICK_MS 200
#define BULK HEALTH_CONNECTIONS /* opened by the first bulk call; readiness ignores it */
#define CONNECTIONS (BULK + 1)
#define PARTS_MAX 16

struct redis {
	struct loop *loop;
	const struct config *config;
	struct redis_url url;
	struct conn_target target;
	struct calls calls[CONNECTIONS];
	struct handshake handshakes[CONNECTIONS];
	struct handshake_store store;
	struct health health;
	struct subscriber *subscriber;
	struct loop_timer tick;
	struct {
		void *state;
		const struct redis_part_kind *kind;
	} parts[PARTS_MAX];
	int n_parts;
};

static void tick(void *arg)
{
	struct redis *redis = arg;

	loop_timer_set(&redis->tick, TICK_MS);
	for (int i = 0; i < CONNECTIONS; i++)
		calls_tick(&redis->calls[i]);
	health_tick(&redis->health);
}

void redis_call(struct redis *redis, struct command *take, unsigned connection, int64_t limit_ms,
		struct callback back)
{
	calls_add(&redis->calls[connection % BULK], take, limit_ms, back);
}

void redis_call_oom(struct redis *redis, struct callback back)
{
	struct command none = {.bytes.failed = true};

	redis_call(redis, &none, 0, 0, back);
}

static void on_partitions(void *arg)
{
	struct redis *redis = arg;

	if (redis->subscriber)
		subscriber_set_partitions(redis->subscriber, redis->store.partitions);
}

static int open_connection(struct redis *redis, unsigned i)
{
	struct handshake *h = &redis->handshakes[i];

	*h = (struct handshake){.store = &redis->store, .calls = &redis->calls[i], .number = i};
	h->calls->is_bulk = i == BULK;
	h->calls->conn = conn_new(redis->loop, &redis->target,
				  &(struct conn_events){handshake_connected, handshake_lost, h});
	return h->calls->conn ? 0 : -1;
}

void redis_call_bulk(struct redis *redis, struct command *take, int64_t limit_ms,
		     struct callback back)
{
	if (!redis->calls[BULK].conn)
		(void)open_connection(redis, BULK); /* out of memory: the next call tries again */
	calls_add(&redis->calls[BULK], take, limit_ms, back);
}

static int open_all(struct redis *redis, unsigned needs)
{
	for (unsigned i = 0; i < HEALTH_CONNECTIONS; i++)
		if (open_connection(redis, i) < 0)
			return -1;
	if (needs & REDIS_SUBSCRIBER) {
		redis->subscriber = subscriber_new(redis->loop, &redis->target);
		if (!redis->subscriber)
			return -1;
	}
	if (loop_timer_init(&redis->tick, redis->loop, tick, redis) < 0)
		return -1;
	loop_timer_set(&redis->tick, TICK_MS);
	return 0;
}

int redis_open(struct redis **out, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e)
{
	struct redis *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return err_oom(e);
	redis->loop = loop;
	redis->config = config;
	redis->store = (struct handshake_store){.config = config,
						.health = &redis->health,
						.partitions = 1,
						.on_partitions = on_partitions,
						.arg = redis};
	health_init(&redis->health, config, &redis->store.instance, redis->calls);
	redis->target.url = &redis->url;
	if (redis_url_parse(config, &redis->url, e) < 0 ||
	    redis_tls_load(config, &redis->url, &redis->target.tls, e) < 0 ||
	    instance_load(&redis->store.instance, config->data_dir, e) < 0) {
		tls_context_free(redis->target.tls);
		free(redis);
		return -1;
	}
	if (open_all(redis, needs) < 0) {
		redis_close(redis);
		return err_oom(e);
	}
	*out = redis;
	return 0;
}

static void abandon_calls(struct redis *redis)
{
	for (int i = 0; i < CONNECTIONS; i++)
		calls_abandon(&redis->calls[i]);
}

/* Calls come before parts, because the end of a call may add to a part. Calls come again after the
 * parts, because their callbacks may have made new calls. */
void redis_abandon(struct redis *redis)
{
	if (!redis)
		return;
	abandon_calls(redis);
	for (int i = 0; i < redis->n_parts; i++)
		if (redis->parts[i].kind->abandon)
			redis->parts[i].kind->abandon(redis->parts[i].state);
	abandon_calls(redis);
}

void redis_close(struct redis *redis)
{
	if (!redis)
		return;
	for (int i = 0; i < redis->n_parts; i++)
		redis->parts[i].kind->free_fn(redis->parts[i].state);
	loop_timer_deinit(&redis->tick);
	subscriber_free(redis->subscriber);
	for (int i = 0; i < CONNECTIONS; i++)
		calls_close(&redis->calls[i]);
	health_deinit(&redis->health);
	tls_context_free(redis->target.tls);
	free(redis);
}

bool redis_is_ready(const struct redis *redis, const char **why)
{
	return health_is_ready(&redis->health, why);
}

bool redis_is_connected(const struct redis *redis)
{
	return health_is_connected(&redis->health);
}

const char *redis_durability(const struct redis *redis)
{
	return health_durability(&redis->health);
}

int64_t redis_memory_max(const struct redis *redis)
{
	return redis->health.check.memory_max_bytes;
}

int64_t redis_memory_used(const struct redis *redis)
{
	return redis->health.check.memory_bytes;
}

int64_t redis_clock_offset_ms(const struct redis *redis)
{
	return redis->health.offset_ms;
}

void redis_saw_time(struct redis *redis, int64_t redis_ms)
{
	/* Deadlines in the store are by the clock of Redis. */
	redis->health.offset_ms = redis_ms - clock_real_ms();
}

void redis_was_late(struct redis *redis)
{
	redis->health.is_late = true;
}

unsigned redis_partitions(const struct redis *redis)
{
	return redis->store.partitions;
}

void *redis_part(struct redis *redis, const struct redis_part_kind *kind)
{
	void *state;

	for (int i = 0; i < redis->n_parts; i++)
		if (redis->parts[i].kind == kind)
			return redis->parts[i].state;
	state = kind->make(redis);
	if (!state)
		return NULL;
	assert(redis->n_parts < PARTS_MAX);
	redis->parts[redis->n_parts].state = state;
	redis->parts[redis->n_parts++].kind = kind;
	return state;
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

/* Checks every 20 ms whether Redis is ready, until the limit. */
struct wait {
	struct redis *redis;
	struct loop_timer timer;
	int64_t limit_at;
};

static void check_ready(void *arg)
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

	if (loop_timer_init(&w.timer, redis->loop, check_ready, &w) < 0)
		return err_oom(e);
	loop_timer_set(&w.timer, 0);
	loop_run(redis->loop);
	loop_timer_deinit(&w.timer);
	if (!redis_is_ready(redis, &why))
		return err_set(e, ERR_RETRY, "Redis is not ready: %s", why);
	return 0;
}
