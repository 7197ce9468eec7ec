/* The connection of a process to Redis, and the state that parts of the store keep with it. */
#include "server/redis/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "lua_calls.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/nodes.h"

#define TICK_MS 200
#define LOOK_LIMIT_MS 5000
#define LOOK_MS 1000 /* how often the partitions are read */
#define PARTS_MAX 16

struct redis {
	struct nodes nodes;
	struct loop_timer tick;
	int64_t look_at; /* monotonic; when the partitions are read next */
	unsigned spread; /* as the parts of limits in the partitions are by now */
	struct {
		void *state;
		const struct redis_part_kind *kind;
	} parts[PARTS_MAX];
	int n_parts;
};

/* ---- the partitions ---- */

struct preparing {
	struct redis *redis;
	struct callback back;
};

static void on_prepared(const struct call_result *result, void *context)
{
	const struct preparing *p = context;
	struct call_result refused;
	struct err why;

	if (result->end == CALL_ANSWERED &&
	    handshake_take_partition(&p->redis->nodes.shared, result->reply, &why) < 0) {
		refused = (struct call_result){CALL_FAILED, NULL, &why};
		result = &refused;
	}
	p->back.fn(result, (void *)(uintptr_t)p->back.context);
}

void redis_prepare_partition(struct redis *redis, unsigned partition, struct callback back)
{
	struct preparing preparing = {redis, back};
	struct command c = {0};

	nodes_place(&redis->nodes, partition);
	handshake_init_partition(&c, &redis->nodes.shared.store, partition);
	redis_call(redis, &c, 0, LOOK_LIMIT_MS, CALLBACK_COPY(on_prepared, preparing));
}

/* When new messages begin to use more partitions, the parts of limits in each partition change. The
 * first time, the handshake has prepared the partitions. */
static void follow_spread(struct redis *redis)
{
	const struct partitions *all = redis_growth(redis);
	unsigned spread = partitions_step_at(all, all->read_ms)->n;
	bool has_grown = redis->spread && redis->spread != spread;

	redis->spread = spread;
	for (unsigned p = 0; has_grown && p < all->n; p++)
		node_init_partition(nodes_owner(&redis->nodes, p), p);
}

static void on_look(const struct call_result *result, void *context)
{
	const struct resp *r = result->reply;
	int64_t now = resp_number_at(r, PARTITIONS_LOOK_NOW_MS);
	struct redis *redis = context;
	struct err e;

	redis->look_at = clock_mono_ms() + LOOK_MS;
	if (result->end != CALL_ANSWERED)
		return;
	redis_saw_time(redis, REDIS_GLOBAL, now);
	if (handshake_take_partitions(&redis->nodes.shared.store,
				      resp_text(resp_item(r, PARTITIONS_LOOK_NUMBER)),
				      resp_text(resp_item(r, PARTITIONS_LOOK_GROWTH)), now, &e) < 0)
		LOG_ONCE(LOG_ERROR, "store.partitions_unreadable", LOG_S("reason", e.text));
	else
		follow_spread(redis);
}

static void look_at_partitions(struct redis *redis)
{
	struct command c = {0};

	if (clock_mono_ms() < redis->look_at || !redis_partition_is_connected(redis, REDIS_GLOBAL))
		return;
	redis->look_at = INT64_MAX;
	script_partitions_look(&c, REDIS_GLOBAL);
	redis_call(redis, &c, 0, LOOK_LIMIT_MS, CALLBACK(on_look, redis));
}

static void tick(void *arg)
{
	struct redis *redis = arg;

	loop_timer_set(&redis->tick, TICK_MS);
	nodes_tick(&redis->nodes);
	look_at_partitions(redis);
	metric_set(METRIC_STORE_READY, redis_is_ready(redis, NULL));
	metric_set(METRIC_STORE_BYTES, redis_memory_used(redis));
}

/* ---- calls ---- */

void redis_call(struct redis *redis, struct command *take, unsigned connection, int64_t limit_ms,
		struct callback back)
{
	struct node *owner = nodes_owner(&redis->nodes, take->partition);

	calls_add(&owner->calls[connection % NODE_BULK], take, limit_ms, back);
}

void redis_call_oom(struct redis *redis, struct callback back)
{
	struct command none = {.bytes.failed = true};

	redis_call(redis, &none, 0, 0, back);
}

void redis_call_bulk(struct redis *redis, struct command *take, int64_t limit_ms,
		     struct callback back)
{
	calls_add(node_bulk(nodes_owner(&redis->nodes, take->partition)), take, limit_ms, back);
}

/* ---- life ---- */

int redis_open(struct redis **out, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e)
{
	struct redis *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return err_oom(e);
	if (nodes_open(&redis->nodes, loop, config, needs & REDIS_SUBSCRIBER, e) < 0) {
		redis_close(redis);
		return -1;
	}
	if (loop_timer_init(&redis->tick, loop, tick, redis) < 0) {
		redis_close(redis);
		return err_oom(e);
	}
	loop_timer_set(&redis->tick, TICK_MS);
	*out = redis;
	return 0;
}

static void abandon_calls(struct redis *redis)
{
	for (struct node *n = redis->nodes.first; n; n = n->next)
		node_abandon(n);
	node_abandon(redis->nodes.absent);
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
	nodes_close(&redis->nodes);
	free(redis);
}

/* ---- state ---- */

bool redis_partition_is_ready(const struct redis *redis, unsigned partition, const char **why)
{
	return nodes_partition_is_ready(&redis->nodes, partition, why);
}

bool redis_partition_is_connected(const struct redis *redis, unsigned partition)
{
	return nodes_partition_is_connected(&redis->nodes, partition);
}

bool redis_partition_is_open(const struct redis *redis, unsigned partition)
{
	return nodes_partition_is_open(&redis->nodes, partition);
}

bool redis_is_ready(const struct redis *redis, const char **why)
{
	for (unsigned p = redis_partitions(redis); p-- > 0;)
		if (redis_partition_is_ready(redis, p, why))
			return true;
	return false;
}

bool redis_is_connected(const struct redis *redis)
{
	for (unsigned p = 0; p < redis_partitions(redis); p++)
		if (redis_partition_is_connected(redis, p))
			return true;
	return false;
}

bool redis_partition_is_first(const struct redis *redis, unsigned partition)
{
	const struct node *owner = nodes_owner(&redis->nodes, partition);

	for (unsigned p = 0; p < partition; p++)
		if (nodes_owner(&redis->nodes, p) == owner)
			return false;
	return true;
}

bool redis_write_refusing(const struct redis *redis, struct buf *out)
{
	return redis->nodes.cluster && redis_is_ready(redis, NULL) &&
	       nodes_write_refusing(&redis->nodes, out);
}

void redis_write_metrics(const struct redis *redis, struct buf *out)
{
	if (redis->nodes.cluster)
		nodes_write_metrics(&redis->nodes, out);
}

const char *redis_durability(const struct redis *redis)
{
	const struct node *n = redis->nodes.first;

	while (n && n->health.check.holds && n->next)
		n = n->next;
	return n ? health_durability(&n->health) : "relaxed";
}

int64_t redis_memory_max(const struct redis *redis)
{
	int64_t sum = 0;

	for (const struct node *n = redis->nodes.first; n; n = n->next)
		sum += n->health.check.memory_max_bytes;
	return sum;
}

int64_t redis_memory_used(const struct redis *redis)
{
	int64_t sum = 0;

	for (const struct node *n = redis->nodes.first; n; n = n->next)
		sum += n->health.check.memory_bytes;
	return sum;
}

int64_t redis_clock_offset_ms(const struct redis *redis, unsigned partition)
{
	return nodes_owner(&redis->nodes, partition)->health.offset_ms;
}

void redis_saw_time(struct redis *redis, unsigned partition, int64_t redis_ms)
{
	/* Deadlines in the store are by the clock of Redis. */
	nodes_owner(&redis->nodes, partition)->health.offset_ms = redis_ms - clock_real_ms();
}

void redis_was_late(struct redis *redis, unsigned partition)
{
	nodes_owner(&redis->nodes, partition)->health.is_late = true;
}

unsigned redis_partitions(const struct redis *redis)
{
	return redis_growth(redis)->n;
}

unsigned redis_spread(const struct redis *redis)
{
	return partitions_step_at(redis_growth(redis), redis_time_ms(redis))->n;
}

int64_t redis_time_ms(const struct redis *redis)
{
	return clock_real_ms() + redis_clock_offset_ms(redis, REDIS_GLOBAL);
}

const struct partitions *redis_growth(const struct redis *redis)
{
	static const struct partitions unknown = {.n = 1, .steps = {{1, 0}}, .n_steps = 1};
	const struct partitions *known = &redis->nodes.shared.store.partitions;

	return known->n ? known : &unknown;
}

int64_t redis_known_until_ms(const struct redis *redis)
{
	if (!redis_partition_is_connected(redis, REDIS_GLOBAL))
		return INT64_MAX;
	return redis_growth(redis)->read_ms + PARTITIONS_KNOWN_MS;
}

/* ---- parts ---- */

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
	return redis->nodes.shared.loop;
}

const struct config *redis_config(const struct redis *redis)
{
	return redis->nodes.shared.config;
}

void redis_subscribe(struct redis *redis, const char *name, channel_fn *fn, void *arg)
{
	subscriptions_add(&redis->nodes.shared.subscriptions, name, fn, arg);
	for (struct node *n = redis->nodes.first; n; n = n->next)
		node_subscribe(n);
}

/* Checks every 20 ms whether Redis is ready, until the limit. */
struct wait {
	struct redis *redis;
	struct loop_timer timer;
	int64_t limit_at;
};

static bool are_all_ready(const struct redis *redis)
{
	if (!redis_partition_is_ready(redis, REDIS_GLOBAL, NULL))
		return false;
	for (unsigned p = 0; p < redis_partitions(redis); p++)
		if (!redis_partition_is_ready(redis, p, NULL))
			return false;
	return true;
}

static void check_ready(void *arg)
{
	struct wait *w = arg;

	if (are_all_ready(w->redis) || clock_mono_ms() >= w->limit_at)
		loop_stop(redis_loop(w->redis));
	else
		loop_timer_set(&w->timer, 20);
}

int redis_wait_ready(struct redis *redis, int64_t ms, struct err *e)
{
	struct wait w = {.redis = redis, .limit_at = clock_mono_ms() + ms};
	const char *why;

	if (loop_timer_init(&w.timer, redis_loop(redis), check_ready, &w) < 0)
		return err_oom(e);
	loop_timer_set(&w.timer, 0);
	loop_run(redis_loop(redis));
	loop_timer_deinit(&w.timer);
	if (!redis_is_ready(redis, &why))
		return err_set(e, ERR_RETRY, "Redis is not ready: %s", why);
	return 0;
}
