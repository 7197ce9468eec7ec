/* Watches for mail that no relay takes: ready jobs, and the last sign of life of a relay. */
#include "server/store/queue/relay_watch.h"

#include <stdlib.h>

#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/queue/job_lease.h"

#define EVERY_MS 5000
#define PATIENCE_MS 60000
#define LIMIT_MS 3000
#define REPORT_MS 15000 /* how long the report of a relay counts */

static const char *const REASON =
	"no relay takes mail, and mail has been ready for more than a minute: start a postern "
	"with the role relay on this Redis";
static const char *const OTP_REASON =
	"mail of lane otp has waited for a free SMTP connection for more than 10 seconds: see "
	"postern_smtp_connections_by_state in the metrics";

struct relay_watch {
	struct redis *redis;
	struct loop_timer timer;
	int64_t every_ms, patience_ms;
	int64_t ready_since_ms; /* monotonic; 0 = nothing is ready */
	int64_t waited_ms;      /* mail is ready, and no relay gave a sign of life */
	const char *reason;     /* that was reported; NULL = all is well */
	/* of the check under way */
	struct call_group calls;
	bool is_ready, otp_waits;
	int64_t heard_ms_ago; /* of any relay */
};

static void check(void *arg);

static void *relay_watch_new(struct redis *redis)
{
	struct relay_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->redis = redis;
	w->every_ms = EVERY_MS;
	w->patience_ms = PATIENCE_MS;
	if (loop_timer_init(&w->timer, redis_loop(redis), check, w) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

static void relay_watch_free(void *state)
{
	struct relay_watch *w = state;

	loop_timer_deinit(&w->timer);
	free(w);
}

static const struct redis_part_kind relay_watch_kind = {.make = relay_watch_new,
							.free_fn = relay_watch_free};

static void report(struct relay_watch *w)
{
	const char *reason = w->waited_ms > w->patience_ms ? REASON
			     : w->otp_waits                ? OTP_REASON
							   : NULL;

	metric_set(METRIC_QUEUE_UNATTENDED_MS, w->waited_ms);
	if (reason == w->reason)
		return;
	w->reason = reason;
	if (reason)
		LOG(LOG_ERROR, "queue.unattended", LOG_S("reason", reason));
	else
		LOG(LOG_INFO, "queue.attended", LOG_N("waited_ms", w->waited_ms));
}

/* All replies of a check have arrived. */
static void judge(struct relay_watch *w)
{
	int64_t now = clock_mono_ms(), waited;

	if (!w->is_ready)
		w->ready_since_ms = 0;
	else if (!w->ready_since_ms)
		w->ready_since_ms = now;
	waited = w->ready_since_ms ? now - w->ready_since_ms : 0;
	w->waited_ms = waited < w->heard_ms_ago ? waited : w->heard_ms_ago;
	report(w);
}

static void end_call(struct relay_watch *w, const struct call_result *result)
{
	if (!call_group_end(&w->calls, result))
		return;
	if (!w->calls.has_failed)
		judge(w);
	loop_timer_set(&w->timer, w->every_ms);
}

static void on_ready(const struct call_result *result, void *context)
{
	struct relay_watch *w = context;

	w->is_ready |= resp_number(result->reply) > 0;
	end_call(w, result);
}

/* {the owner that counts as dead last, and when} */
static void on_owner(const struct call_result *result, void *context)
{
	struct relay_watch *w = context;
	int64_t now = clock_real_ms() + redis_clock_offset_ms(w->redis, 0), ago;

	if (resp_count(result->reply) == 2) {
		ago = now + JOB_LEASE_OWNER_MS -
		      (int64_t)strtod(resp_text(resp_item(result->reply, 1)), NULL);
		if (ago < w->heard_ms_ago)
			w->heard_ms_ago = ago > 0 ? ago : 0;
	}
	end_call(w, result);
}

static void on_report(const struct call_result *result, void *context)
{
	struct relay_watch *w = context;

	w->otp_waits = resp_number(result->reply) > 0;
	end_call(w, result);
}

static void ask_report(struct relay_watch *w)
{
	struct command c = {0};

	command_start(&c, "EXISTS");
	command_key(&c, 0, KEY_OTP_WAITS);
	redis_call(w->redis, &c, 1, LIMIT_MS, CALLBACK(on_report, w));
}

/* If it fails, the next report follows in seconds. */
static void on_reported(const struct call_result *result, void *context)
{
	(void)result;
	(void)context;
}

void relay_watch_report(struct redis *redis)
{
	struct command c = {0};

	command_start(&c, "SET");
	command_key(&c, 0, KEY_OTP_WAITS);
	command_str(&c, "1");
	command_str(&c, "PX");
	command_num(&c, REPORT_MS);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK(on_reported, NULL));
}

static void ask(struct relay_watch *w, unsigned partition)
{
	struct command c = {0};

	command_start(&c, "EXISTS");
	command_key(&c, partition, KEY_LANE_PROJECTS, "otp");
	command_key(&c, partition, KEY_LANE_PROJECTS, "normal");
	command_key(&c, partition, KEY_LANE_PROJECTS, "bulk");
	redis_call(w->redis, &c, 1, LIMIT_MS, CALLBACK(on_ready, w));
	command_start(&c, "ZRANGE");
	command_key(&c, partition, KEY_OWNERS);
	command_num(&c, -1);
	command_num(&c, -1);
	command_str(&c, "WITHSCORES");
	redis_call(w->redis, &c, 1, LIMIT_MS, CALLBACK(on_owner, w));
}

static void check(void *arg)
{
	struct relay_watch *w = arg;
	unsigned n = redis_partitions(w->redis);

	if (!redis_is_connected(w->redis)) {
		w->ready_since_ms = 0; /* relays cannot give signs of life now */
		loop_timer_set(&w->timer, w->every_ms);
		return;
	}
	w->calls = (struct call_group){.n_open = n * 2 + 1};
	w->is_ready = false;
	w->heard_ms_ago = INT64_MAX;
	for (unsigned p = 0; p < n; p++)
		ask(w, p);
	ask_report(w);
}

int relay_watch_start(struct redis *redis)
{
	struct relay_watch *w = redis_part(redis, &relay_watch_kind);

	if (!w)
		return -1;
	loop_timer_set(&w->timer, 0);
	return 0;
}

int relay_watch_limit(struct redis *redis, int64_t every_ms, int64_t patience_ms)
{
	struct relay_watch *w = redis_part(redis, &relay_watch_kind);

	if (!w)
		return -1;
	w->every_ms = every_ms;
	w->patience_ms = patience_ms;
	return 0;
}

bool relay_watch_holds(struct redis *redis, const char **why)
{
	const struct relay_watch *w = redis_part(redis, &relay_watch_kind);

	if (!w || !w->reason)
		return true;
	*why = w->reason;
	return false;
}
