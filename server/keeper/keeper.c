/* The keeper: periodic work on the store. Any number of keepers may run at once, since every step
 * is a transition that can run any number of times. */
#include "server/keeper/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/call.h"
#include "server/store/queue/jobs_internal.h"
#include "server/store/queue/accept.h"
#include "server/store/projects/suppression_sync.h"
#include "server/redis/redis.h"

#define STEP_MAX 200

struct keeper;

/* Periodic work, done for each partition. */
struct chore {
	const char *name;
	int64_t every_ms;
	/* NULL: suppression_sync_run(), which makes several calls. */
	void (*ask)(struct keeper *k, struct command *c, unsigned partition);
	/* Reads the reply; true = run again at once. */
	bool (*answer)(struct keeper *k, const redisReply *r);
};

struct round {
	struct keeper *keeper;
	const struct chore *chore;
	unsigned partition;
	struct loop_timer timer;
};

/* A metric that is summed over the partitions. */
struct gauge {
	enum metric metric;
	struct keeper *keeper;
};

struct keeper {
	struct role *role;
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	struct round *rounds;
	size_t n_rounds;
	char *projects;              /* project numbers, each ended by NUL, then an empty one */
	int64_t found[METRIC_COUNT]; /* sums of the census that is under way */
	struct gauge gauges[METRIC_COUNT];
	size_t gauges_open; /* calls without a reply */
	bool is_census_whole;
	struct loop_timer census;
};

static void ask_promote(struct keeper *k, struct command *c, unsigned partition)
{
	(void)k;
	command_script(c, SCRIPT_PROMOTE, partition);
	command_num(c, STEP_MAX);
}

static bool answer_promote(struct keeper *k, const redisReply *r)
{
	(void)k;
	return jobs_integer(r, 1) == 0; /* more jobs are due */
}

static void ask_release(struct keeper *k, struct command *c, unsigned partition)
{
	command_release(c, partition, "", k->config);
}

static bool answer_release(struct keeper *k, const redisReply *r)
{
	(void)k;
	if (jobs_integer(r, 0) || jobs_integer(r, 4))
		LOG(LOG_WARN, "leases.taken_back", LOG_N("jobs", jobs_integer(r, 0)),
		    LOG_N("owners_gone", jobs_integer(r, 4)));
	jobs_count_released(r);
	return jobs_integer(r, 5) == 1;
}

static void ask_expire(struct keeper *k, struct command *c, unsigned partition)
{
	command_script(c, SCRIPT_EXPIRE, partition);
	command_num(c, STEP_MAX);
	command_num(c, k->config->retention_s * 1000);
}

static bool answer_expire(struct keeper *k, const redisReply *r)
{
	(void)k;
	metric_add(METRIC_EXPIRED, jobs_integer(r, 1));
	if (jobs_integer(r, 1))
		LOG(LOG_INFO, "recipients.expired", LOG_N("recipients", jobs_integer(r, 1)));
	return jobs_integer(r, 0) == STEP_MAX || jobs_integer(r, 2) > 0;
}

static void ask_sweep(struct keeper *k, struct command *c, unsigned partition)
{
	command_script(c, SCRIPT_SWEEP, partition);
	command_num(c, STEP_MAX);
	command_num(c, k->config->retention_s * 1000);
	command_str(c, ACCEPT_NO_PROJECT);
	for (const char *p = k->projects; p && *p; p += strlen(p) + 1)
		command_str(c, p);
}

static bool answer_sweep(struct keeper *k, const redisReply *r)
{
	(void)k;
	return jobs_integer(r, 0) == STEP_MAX || jobs_integer(r, 1) > 0;
}

static const struct chore chores[] = {
	{"promote", 200, ask_promote, answer_promote},
	{"release", 1000, ask_release, answer_release},
	{"expire", 1000, ask_expire, answer_expire},
	{"sweep", 20000, ask_sweep, answer_sweep},
	{"spread", 500, NULL, NULL},
};
#define CHORES (sizeof(chores) / sizeof(chores[0]))

static void schedule(struct round *r, bool has_more)
{
	loop_timer_set(&r->timer, has_more ? 0 : r->chore->every_ms);
}

static void on_spread(bool has_more, void *arg)
{
	schedule(arg, has_more);
}

static void on_reply(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct round *r = arg;
	bool has_more = end == CALL_ANSWERED && r->chore->answer(r->keeper, reply);

	if (end == CALL_FAILED)
		LOG(LOG_ERROR, "keeper.failed", LOG_S("chore", r->chore->name),
		    LOG_S("reason", why->text));
	schedule(r, has_more);
}

static void do_chore(void *arg)
{
	struct round *r = arg;
	struct command c = {0};

	if (!r->chore->ask) {
		suppression_sync_run(r->keeper->redis, r->partition, on_spread, r);
		return;
	}
	r->chore->ask(r->keeper, &c, r->partition);
	redis_call(r->keeper->redis, &c, 0, 0, on_reply, r);
}

/* ---- gauges, and which projects there are ---- */

static struct gauge *gauge_open(struct keeper *k, enum metric m)
{
	k->gauges[m] = (struct gauge){m, k};
	k->gauges_open++;
	return &k->gauges[m];
}

/* After the last reply the gauges are set. If one number is missing, they keep their old values. */
static void gauge_end(struct gauge *g, bool is_known)
{
	struct keeper *k = g->keeper;

	k->is_census_whole &= is_known;
	if (--k->gauges_open == 0 && k->is_census_whole) {
		metric_set(METRIC_QUEUE_READY, k->found[METRIC_QUEUE_READY]);
		metric_set(METRIC_QUEUE_DUE, k->found[METRIC_QUEUE_DUE]);
		metric_set(METRIC_QUEUE_LEASED, k->found[METRIC_QUEUE_LEASED]);
		metric_set(METRIC_QUEUE_DAMAGED, k->found[METRIC_QUEUE_DAMAGED]);
		metric_set(METRIC_QUEUE_READY_SITES, k->found[METRIC_QUEUE_READY_SITES]);
		metric_set(METRIC_QUEUE_OLDEST_READY_MS, k->found[METRIC_QUEUE_OLDEST_READY_MS]);
	}
}

static void on_count(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct gauge *g = arg;
	bool is_text = end == CALL_ANSWERED && reply->type == REDIS_REPLY_STRING;
	bool is_known = end == CALL_ANSWERED && (is_text || reply->type == REDIS_REPLY_INTEGER ||
						 reply->type == REDIS_REPLY_NIL);

	(void)why;
	if (is_known) {
		g->keeper->found[g->metric] +=
			is_text ? strtoll(reply->str, NULL, 10) : reply->integer;
		if (g->metric == METRIC_QUEUE_DAMAGED && reply->integer)
			LOG(LOG_ERROR, "queue.damaged", LOG_N("jobs", reply->integer),
			    LOG_S("hint", "records that cannot be read: look at the list "
					  "'damaged' in Redis"));
	}
	gauge_end(g, is_known);
}

static void ask_count(struct keeper *k, enum metric m, unsigned partition, const char *cmd,
		      const char *key)
{
	struct command c = {0};

	command_start(&c, cmd);
	command_key(&c, partition, "%s", key);
	redis_call(k->redis, &c, 1, 5000, on_count, gauge_open(k, m));
}

static void on_oldest(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct gauge *g = arg;
	struct keeper *k = g->keeper;
	bool is_known = end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY;
	int64_t now = clock_real_ms() + redis_clock_offset_ms(k->redis), late = 0;

	(void)why;
	if (is_known && reply->elements == 2 && reply->element[1]->str)
		late = now - (int64_t)strtod(reply->element[1]->str, NULL);
	if (late > k->found[g->metric])
		k->found[g->metric] = late;
	gauge_end(g, is_known);
}

static void on_projects(enum call_end end, const redisReply *reply, const struct err *why,
			void *arg)
{
	struct keeper *k = arg;
	struct buf list = {0};

	(void)why;
	if (end != CALL_ANSWERED || reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < reply->elements; i++)
		buf_append(&list, reply->element[i]->str, reply->element[i]->len + 1);
	buf_append(&list, "", 1);
	if (list.failed) {
		buf_deinit(&list);
		return;
	}
	free(k->projects);
	k->projects = buf_give(&list);
}

static void ask_partition(struct keeper *k, unsigned p)
{
	struct command c = {0};
	char key[16];

	ask_count(k, METRIC_QUEUE_READY, p, "GET", "ready");
	ask_count(k, METRIC_QUEUE_DUE, p, "ZCARD", "due");
	ask_count(k, METRIC_QUEUE_LEASED, p, "HLEN", "lease");
	ask_count(k, METRIC_QUEUE_DAMAGED, p, "LLEN", "damaged");
	for (int l = 0; l < LANES; l++) {
		snprintf(key, sizeof(key), "act:%s", lane_name((enum lane)l));
		ask_count(k, METRIC_QUEUE_READY_SITES, p, "ZCARD", key);
	}
	command_start(&c, "ZRANGE");
	command_key(&c, p, "due");
	command_num(&c, 0);
	command_num(&c, 0);
	command_str(&c, "WITHSCORES");
	redis_call(k->redis, &c, 1, 5000, on_oldest, gauge_open(k, METRIC_QUEUE_OLDEST_READY_MS));
}

static void run_census(void *arg)
{
	struct keeper *k = arg;
	struct command c = {0};

	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&k->census, 5000);
	if (k->gauges_open)
		return;
	memset(k->found, 0, sizeof(k->found));
	k->is_census_whole = true;
	for (unsigned p = 0; p < redis_partitions(k->redis); p++)
		ask_partition(k, p);
	command_start(&c, "HKEYS");
	command_key(&c, REDIS_GLOBAL, "projects");
	redis_call(k->redis, &c, 1, 5000, on_projects, k);
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

/* Redis has to answer first: it knows the number of partitions. */
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

int role_keeper(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS,
		.start = start,
		.stop = stop,
	};
	struct keeper k = {0};

	return role_run(&functions, ctx, &k);
}
