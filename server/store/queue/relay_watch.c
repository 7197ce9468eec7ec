/* Is the queue attended? Looks for ready jobs, and when a relay was heard of last. */
#include "server/store/queue/relay_watch.h"

#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/call.h"
#include "server/store/queue/jobs_internal.h"
#include "server/redis/redis.h"

#define EVERY_MS 5000
#define PATIENCE_MS 60000
#define LIMIT_MS 3000

static const char *const REASON =
	"no relay takes mail, and some has been ready for over a minute: start a "
	"postern with the role relay on this Redis";

struct relay_watch {
	struct redis *redis;
	struct loop_timer timer;
	int64_t every_ms, patience_ms;
	int64_t ready_since_ms; /* monotonic; 0 = nothing is ready */
	int64_t waited_ms;      /* of which no relay was heard of */
	bool is_told;
	/* of the look under way */
	unsigned n_open;
	bool is_ready, is_known;
	int64_t heard_ms_ago;
};

static void look(void *arg);

static void *relay_watch_new(struct redis *redis)
{
	struct relay_watch *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->redis = redis;
	a->every_ms = EVERY_MS;
	a->patience_ms = PATIENCE_MS;
	if (loop_timer_init(&a->timer, redis_loop(redis), look, a) < 0) {
		free(a);
		return NULL;
	}
	return a;
}

static void relay_watch_free(void *state)
{
	struct relay_watch *a = state;

	loop_timer_deinit(&a->timer);
	free(a);
}

static const struct redis_part_kind relay_watch_kind = {.make = relay_watch_new,
							.free_fn = relay_watch_free};

static void say(struct relay_watch *a)
{
	bool is_bad = a->waited_ms > a->patience_ms;

	metric_set(METRIC_QUEUE_UNATTENDED_MS, a->waited_ms);
	if (is_bad == a->is_told)
		return;
	a->is_told = is_bad;
	if (is_bad)
		LOG(LOG_ERROR, "queue.unattended", LOG_S("reason", REASON));
	else
		LOG(LOG_INFO, "queue.attended", LOG_N("waited_ms", a->waited_ms));
}

/* The last answer of a look: what they say together. */
static void judge(struct relay_watch *a)
{
	int64_t now = clock_mono_ms(), waited;

	if (!a->is_known)
		return;
	if (!a->is_ready)
		a->ready_since_ms = 0;
	else if (!a->ready_since_ms)
		a->ready_since_ms = now;
	waited = a->ready_since_ms ? now - a->ready_since_ms : 0;
	a->waited_ms = waited < a->heard_ms_ago ? waited : a->heard_ms_ago;
	say(a);
}

static void answered(struct relay_watch *a, bool is_known)
{
	a->is_known = a->is_known && is_known;
	if (--a->n_open)
		return;
	judge(a);
	loop_timer_set(&a->timer, a->every_ms);
}

static void on_ready(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct relay_watch *a = arg;

	(void)why;
	if (end == CALL_ANSWERED && reply->integer > 0)
		a->is_ready = true;
	answered(a, end == CALL_ANSWERED);
}

/* {the owner that is to be taken for dead last, and when} */
static void on_owner(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct relay_watch *a = arg;
	int64_t now = clock_real_ms() + redis_clock_offset_ms(a->redis), ago;

	(void)why;
	if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
		ago = now + JOBS_OWNER_MS - (int64_t)strtod(reply->element[1]->str, NULL);
		if (ago < a->heard_ms_ago)
			a->heard_ms_ago = ago > 0 ? ago : 0;
	}
	answered(a, end == CALL_ANSWERED);
}

static void ask(struct relay_watch *a, unsigned partition)
{
	struct command c = {0};

	command_start(&c, "EXISTS");
	command_key(&c, partition, "act:otp");
	command_key(&c, partition, "act:normal");
	command_key(&c, partition, "act:bulk");
	redis_call(a->redis, &c, 1, LIMIT_MS, on_ready, a);
	command_start(&c, "ZRANGE");
	command_key(&c, partition, "owners");
	command_num(&c, -1);
	command_num(&c, -1);
	command_str(&c, "WITHSCORES");
	redis_call(a->redis, &c, 1, LIMIT_MS, on_owner, a);
}

static void look(void *arg)
{
	struct relay_watch *a = arg;
	unsigned n = redis_partitions(a->redis);

	if (!redis_is_connected(a->redis)) {
		a->ready_since_ms = 0; /* relays could not give signs of life either */
		loop_timer_set(&a->timer, a->every_ms);
		return;
	}
	a->n_open = n * 2;
	a->is_ready = false;
	a->is_known = true;
	a->heard_ms_ago = INT64_MAX;
	for (unsigned p = 0; p < n; p++)
		ask(a, p);
}

void relay_watch_start(struct redis *redis)
{
	struct relay_watch *a = redis_part(redis, PART_RELAY_WATCH, &relay_watch_kind);

	if (!a)
		abort();
	loop_timer_set(&a->timer, 0);
}

void relay_watch_limit(struct redis *redis, int64_t every_ms, int64_t patience_ms)
{
	struct relay_watch *a = redis_part(redis, PART_RELAY_WATCH, &relay_watch_kind);

	a->every_ms = every_ms;
	a->patience_ms = patience_ms;
}

bool relay_watch_holds(struct redis *redis, const char **why)
{
	struct relay_watch *a = redis_part(redis, PART_RELAY_WATCH, &relay_watch_kind);

	if (!a || !a->is_told)
		return true;
	*why = REASON;
	return false;
}
