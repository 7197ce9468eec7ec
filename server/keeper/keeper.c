/* The keeper: runs the store's periodic scripts. Any number of keepers may run: each script gives
 * the same result however often it runs. */
#include "server/keeper/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/command.h"
#include "server/store/queue/release.h"
#include "server/store/queue/accept.h"
#include "server/store/projects/suppression_sync.h"
#include "server/store/projects/tenant.h"
#include "server/redis/redis.h"

#define STEP_MAX 200
#define CENSUS_MS 5000

struct keeper;

/* One periodic task for each partition. */
struct chore {
	const char *name;
	int64_t every_ms;
	/* Writes the command. NULL: the chore is suppression_sync_run, which makes several calls.
	 */
	void (*ask)(struct keeper *k, struct command *c, unsigned partition);
	/* Reads the reply; true: there is more to do at once. */
	bool (*answer)(struct keeper *k, const struct resp *r);
};

struct round {
	struct keeper *keeper;
	const struct chore *chore;
	unsigned partition;
	struct loop_timer timer;
};

struct keeper {
	struct role *role;
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	struct round *rounds;
	size_t n_rounds;
	char *projects;              /* numbers, NUL after each, an empty one at the end */
	int64_t found[METRIC_COUNT]; /* by the census, over the partitions */
	struct call_group census_calls;
	struct loop_timer census;
};

static void ask_promote(struct keeper *k, struct command *c, unsigned partition)
{
	(void)k;
	script_promote(c, partition, &(struct script_promote){.most = STEP_MAX});
}

static bool answer_promote(struct keeper *k, const struct resp *r)
{
	(void)k;
	return resp_number_at(r, PROMOTE_WAIT_MS) == 0; /* the next is due */
}

static void ask_release(struct keeper *k, struct command *c, unsigned partition)
{
	release_command(c, partition, "", k->config);
}

static bool answer_release(struct keeper *k, const struct resp *r)
{
	struct release_count count = release_read(r);

	(void)k;
	if (count.jobs || count.owners)
		LOG(LOG_WARN, "leases.taken_back", LOG_N("jobs", count.jobs),
		    LOG_N("owners_gone", count.owners));
	return count.has_more;
}

static void ask_expire(struct keeper *k, struct command *c, unsigned partition)
{
	script_expire(c, partition,
		      &(struct script_expire){.most = STEP_MAX,
					      .retention_ms = k->config->retention_s * 1000});
}

static bool answer_expire(struct keeper *k, const struct resp *r)
{
	int64_t expired = resp_number_at(r, EXPIRE_EXPIRED);

	(void)k;
	metric_add(METRIC_EXPIRED, expired);
	if (expired)
		LOG(LOG_INFO, "recipients.expired", LOG_N("recipients", expired));
	return resp_number_at(r, EXPIRE_LOOKED_AT) == STEP_MAX ||
	       resp_number_at(r, EXPIRE_MINUTES_LEFT) > 0;
}

/* Adds the arguments for each tenant. */
static void each_tenant(const struct keeper *k, struct command *c,
			void (*add)(struct command *c, const char *tenant))
{
	char tenant[TENANT_MAX];

	for (const char *p = k->projects; p && *p; p += strlen(p) + 1) {
		tenant_name(p, false, tenant);
		add(c, tenant);
		tenant_name(p, true, tenant);
		add(c, tenant);
	}
}

static void sweep_tenant(struct command *c, const char *tenant)
{
	script_sweep_item(c, &(struct script_sweep_item){.project = tenant});
}

static void trim_tenant(struct command *c, const char *tenant)
{
	script_suppression_trim_item(c, &(struct script_suppression_trim_item){.tenant = tenant});
}

static void ask_sweep(struct keeper *k, struct command *c, unsigned partition)
{
	script_sweep(c, partition,
		     &(struct script_sweep){.most = STEP_MAX,
					    .retention_ms = k->config->retention_s * 1000});
	sweep_tenant(c, ACCEPT_NO_PROJECT);
	each_tenant(k, c, sweep_tenant);
}

static bool answer_sweep(struct keeper *k, const struct resp *r)
{
	(void)k;
	return resp_number_at(r, SWEEP_REMOVED) == STEP_MAX ||
	       resp_number_at(r, SWEEP_HOURS_LEFT) > 0;
}

static void ask_trim(struct keeper *k, struct command *c, unsigned partition)
{
	script_suppression_trim(
		c, partition,
		&(struct script_suppression_trim){.most = k->config->project_suppressions,
						  .life_ms = k->config->suppression_s * 1000});
	each_tenant(k, c, trim_tenant);
}

static bool answer_trim(struct keeper *k, const struct resp *r)
{
	int64_t dropped = resp_number_at(r, SUPPRESSION_TRIM_DROPPED);

	(void)k;
	metric_add(METRIC_SUPPRESSIONS_DROPPED, dropped);
	if (dropped)
		LOG(LOG_WARN, "suppressions.dropped", LOG_N("addresses", dropped));
	return resp_number_at(r, SUPPRESSION_TRIM_HAS_MORE) == 1;
}

static const struct chore chores[] = {
	{"promote", 200, ask_promote, answer_promote},
	{"release", 1000, ask_release, answer_release},
	{"expire", 1000, ask_expire, answer_expire},
	{"sweep", 20000, ask_sweep, answer_sweep},
	{"suppression_sync", 500, NULL, NULL},
	{"suppression_trim", 20000, ask_trim, answer_trim},
};
#define CHORES (sizeof(chores) / sizeof(chores[0]))

static void schedule(struct round *r, bool has_more)
{
	loop_timer_set(&r->timer, has_more ? 0 : r->chore->every_ms);
}

static void on_synced(bool has_more, void *arg)
{
	schedule(arg, has_more);
}

static void on_chore(const struct call_result *result, void *context)
{
	struct round *r = context;
	bool has_more = result->end == CALL_ANSWERED && r->chore->answer(r->keeper, result->reply);

	if (result->end == CALL_FAILED)
		LOG(LOG_ERROR, "keeper.failed", LOG_S("chore", r->chore->name),
		    LOG_S("reason", result->why->text));
	schedule(r, has_more);
}

static void do_chore(void *arg)
{
	struct round *r = arg;
	struct command c = {0};

	if (!r->chore->ask) {
		suppression_sync_run(r->keeper->redis, r->partition, on_synced, r);
		return;
	}
	r->chore->ask(r->keeper, &c, r->partition);
	redis_call(r->keeper->redis, &c, 0, 0, CALLBACK(on_chore, r));
}

/* ---- the census: gauges over all partitions, and the list of projects ---- */

/* One number of one partition. */
struct gauge {
	enum metric metric;
	struct keeper *keeper;
};

/* After the last reply, sets the metrics. If a reply is missing, the metrics stay unchanged. */
static void end_gauge(struct keeper *k, const struct call_result *result)
{
	static const enum metric shown[] = {METRIC_QUEUE_READY,          METRIC_QUEUE_DUE,
					    METRIC_QUEUE_LEASED,         METRIC_QUEUE_DAMAGED,
					    METRIC_QUEUE_READY_PROJECTS, METRIC_QUEUE_OTP_LATE,
					    METRIC_QUEUE_OLDEST_DUE_MS,  METRIC_QUEUE_MESSAGES,
					    METRIC_STORED_BYTES};

	if (!call_group_end(&k->census_calls, result) || k->census_calls.has_failed)
		return;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		metric_set(shown[i], k->found[shown[i]]);
}

static void on_count(const struct call_result *result, void *context)
{
	const struct gauge *g = context;
	const struct resp *r = result->reply;
	int64_t n = resp_is_text(r) ? strtoll(resp_text(r), NULL, 10) : resp_number(r);

	g->keeper->found[g->metric] += n;
	if (g->metric == METRIC_QUEUE_DAMAGED && n)
		LOG(LOG_ERROR, "queue.damaged", LOG_N("jobs", n),
		    LOG_S("hint", "records that cannot be read: see the list 'damaged' in Redis"));
	end_gauge(g->keeper, result);
}

/* field: of a hash, or NULL. */
static void ask_count(struct keeper *k, enum metric m, unsigned partition, const char *cmd,
		      const char *key, const char *field)
{
	struct gauge g = {m, k};
	struct command c = {0};

	command_start(&c, cmd);
	command_key(&c, partition, "%s", key);
	if (field)
		command_str(&c, field);
	k->census_calls.n_open++;
	redis_call(k->redis, &c, 1, CENSUS_MS, CALLBACK_COPY(on_count, g));
}

/* Gets the first entry of `due` and its time: the oldest job that is due but not yet promoted. */
static void on_oldest(const struct call_result *result, void *context)
{
	struct keeper *k = context;
	int64_t now = clock_real_ms() + redis_clock_offset_ms(k->redis), late = 0;
	int64_t *oldest = &k->found[METRIC_QUEUE_OLDEST_DUE_MS];

	if (resp_count(result->reply) == 2)
		late = now - (int64_t)strtod(resp_text(resp_item(result->reply, 1)), NULL);
	if (late > *oldest)
		*oldest = late;
	end_gauge(k, result);
}

/* Adds up what the projects have: "messages bytes" of each. */
static void on_usage(const struct call_result *result, void *context)
{
	struct keeper *k = context;
	long long messages, bytes;

	for (size_t i = 0; i < resp_count(result->reply); i++) {
		if (sscanf(resp_text(resp_item(result->reply, i)), "%lld %lld", &messages,
			   &bytes) != 2)
			continue;
		k->found[METRIC_QUEUE_MESSAGES] += messages;
		k->found[METRIC_STORED_BYTES] += bytes;
	}
	end_gauge(k, result);
}

static void on_projects(const struct call_result *result, void *context)
{
	struct keeper *k = context;
	struct buf list = {0};
	char *projects;

	if (result->end != CALL_ANSWERED)
		return;
	for (size_t i = 0; i < resp_count(result->reply); i++) {
		const struct resp *name = resp_item(result->reply, i);

		buf_append(&list, resp_text(name), resp_len(name) + 1);
	}
	buf_append(&list, "", 1);
	projects = buf_give(&list);
	buf_deinit(&list);
	if (!projects)
		return; /* out of memory: the next sweep uses the previous list */
	free(k->projects);
	k->projects = projects;
}

static void ask_partition(struct keeper *k, unsigned p)
{
	struct command c = {0};
	char key[16];

	ask_count(k, METRIC_QUEUE_DUE, p, "ZCARD", KEY_DUE, NULL);
	ask_count(k, METRIC_QUEUE_LEASED, p, "HLEN", KEY_LEASE, NULL);
	ask_count(k, METRIC_QUEUE_DAMAGED, p, "LLEN", KEY_DAMAGED, NULL);
	ask_count(k, METRIC_QUEUE_OTP_LATE, p, "GET", KEY_OTP_LATE, NULL);
	for (int l = 0; l < LANES; l++) {
		const char *lane = lane_name((enum lane)l);

		snprintf(key, sizeof(key), KEY_LANE_PROJECTS, lane);
		ask_count(k, METRIC_QUEUE_READY_PROJECTS, p, "ZCARD", key, NULL);
		ask_count(k, METRIC_QUEUE_READY, p, "HGET", KEY_READY, lane);
	}
	command_start(&c, "ZRANGE");
	command_key(&c, p, KEY_DUE);
	command_num(&c, 0);
	command_num(&c, 0);
	command_str(&c, "WITHSCORES");
	k->census_calls.n_open++;
	redis_call(k->redis, &c, 1, CENSUS_MS, CALLBACK(on_oldest, k));
	command_start(&c, "HVALS");
	command_key(&c, p, KEY_USAGE);
	k->census_calls.n_open++;
	redis_call(k->redis, &c, 1, CENSUS_MS, CALLBACK(on_usage, k));
}

static void run_census(void *arg)
{
	struct keeper *k = arg;
	struct command c = {0};

	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&k->census, CENSUS_MS);
	if (k->census_calls.n_open)
		return;
	memset(k->found, 0, sizeof(k->found));
	k->census_calls = (struct call_group){0};
	for (unsigned p = 0; p < redis_partitions(k->redis); p++)
		ask_partition(k, p);
	command_start(&c, "HKEYS");
	command_key(&c, REDIS_GLOBAL, KEY_PROJECTS);
	redis_call(k->redis, &c, 1, CENSUS_MS, CALLBACK(on_projects, k));
}

/* ---- the role ---- */

static int start_rounds(struct keeper *k)
{
	unsigned partitions = redis_partitions(k->redis);

	k->rounds = calloc(partitions * CHORES, sizeof(*k->rounds));
	if (!k->rounds)
		return -1;
	k->n_rounds = partitions * CHORES;
	for (size_t i = 0; i < k->n_rounds; i++) {
		struct round *r = &k->rounds[i];

		*r = (struct round){k, &chores[i % CHORES], (unsigned)(i / CHORES), {NULL}};
		if (loop_timer_init(&r->timer, k->loop, do_chore, r) < 0)
			return -1;
		loop_timer_set(&r->timer, 0);
	}
	if (loop_timer_init(&k->census, k->loop, run_census, k) < 0)
		return -1;
	loop_timer_set(&k->census, 0);
	return 0;
}

/* Only Redis knows the number of partitions, so wait for its reply. */
static void wait_for_redis(void *arg)
{
	struct keeper *k = arg;

	if (!redis_is_connected(k->redis)) {
		loop_timer_set(&k->census, 100);
		return;
	}
	loop_timer_deinit(&k->census);
	if (start_rounds(k) == 0)
		return;
	LOG(LOG_ERROR, "role.cannot_start", LOG_S("reason", "out of memory"));
	role_end(k->role, 1);
}

static int start(struct role *r, struct err *e)
{
	struct keeper *k = r->state;

	k->role = r;
	k->config = r->ctx->config;
	k->loop = r->loop;
	k->redis = r->redis;
	if (loop_timer_init(&k->census, k->loop, wait_for_redis, k) < 0)
		return err_oom(e);
	loop_timer_set(&k->census, 0);
	return 0;
}

static void stop(struct role *r)
{
	struct keeper *k = r->state;

	for (size_t i = 0; i < k->n_rounds; i++)
		loop_timer_deinit(&k->rounds[i].timer);
	loop_timer_deinit(&k->census);
	free(k->rounds);
	free(k->projects);
}

int keeper_run(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS,
		.start = start,
		.stop = stop,
	};
	struct keeper k = {0};

	return role_run(&functions, ctx, &k);
}
