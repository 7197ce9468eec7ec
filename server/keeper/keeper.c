/* The keeper: what the store needs done by the clock. Any number of keepers may run; each step is a
 * transition that is right however often it runs. */
#include "server/keeper/keeper.h"

#include <signal.h>
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

/* One thing to do again and again for each partition. */
struct chore {
	const char *name;
	int64_t every_ms;
	/* NULL: it is suppression_sync_run, which is more than one call. */
	void (*ask)(struct keeper *k, struct command *c, unsigned partition);
	/* Looks at the answer; true = there is more to do at once. */
	bool (*answer)(struct keeper *k, const redisReply *r);
};

struct round {
	struct keeper *keeper;
	const struct chore *chore;
	unsigned partition;
	struct loop_timer timer;
};

struct keeper {
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	struct round *rounds;
	size_t n_rounds;
	char *projects;              /* numbers, NUL after each, an empty one at the end */
	int64_t found[METRIC_COUNT]; /* by the census, over the partitions */
	size_t gauges_open;
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
	return jobs_integer(r, 1) == 0; /* the next is due */
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

static void again(struct round *r, bool has_more)
{
	loop_timer_set(&r->timer, has_more ? 0 : r->chore->every_ms);
}

static void on_spread(bool has_more, void *arg)
{
	again(arg, has_more);
}

static void on_answer(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct round *r = arg;
	bool has_more = end == CALL_ANSWERED && r->chore->answer(r->keeper, reply);

	if (end == CALL_FAILED)
		LOG(LOG_ERROR, "keeper.failed", LOG_S("chore", r->chore->name),
		    LOG_S("reason", why->text));
	again(r, has_more);
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
	redis_call(r->keeper->redis, &c, 0, 0, on_answer, r);
}

/* ---- gauges, and which projects there are ---- */

/* A number of one partition, for a gauge that tells all of them. */
struct gauge {
	enum metric metric;
	struct keeper *keeper;
};

static struct gauge *gauge_new(struct keeper *k, enum metric m)
{
	struct gauge *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	*g = (struct gauge){m, k};
	k->gauges_open++;
	return g;
}

/* When the last number is there, the gauges show them; one that is missing leaves them as they are.
 */
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
	free(g);
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

static void count(struct keeper *k, enum metric m, unsigned partition, const char *cmd,
		  const char *key)
{
	struct command c = {0};

	command_start(&c, cmd);
	command_key(&c, partition, "%s", key);
	redis_call(k->redis, &c, 1, 5000, on_count, gauge_new(k, m));
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
	free(k->projects);
	k->projects = buf_give(&list);
}

static void count_partition(struct keeper *k, unsigned p)
{
	struct command c = {0};
	char key[16];

	count(k, METRIC_QUEUE_READY, p, "GET", "ready");
	count(k, METRIC_QUEUE_DUE, p, "ZCARD", "due");
	count(k, METRIC_QUEUE_LEASED, p, "HLEN", "lease");
	count(k, METRIC_QUEUE_DAMAGED, p, "LLEN", "damaged");
	for (int l = 0; l < LANES; l++) {
		snprintf(key, sizeof(key), "act:%s", lane_name((enum lane)l));
		count(k, METRIC_QUEUE_READY_SITES, p, "ZCARD", key);
	}
	command_start(&c, "ZRANGE");
	command_key(&c, p, "due");
	command_num(&c, 0);
	command_num(&c, 0);
	command_str(&c, "WITHSCORES");
	redis_call(k->redis, &c, 1, 5000, on_oldest, gauge_new(k, METRIC_QUEUE_OLDEST_READY_MS));
}

static void census(void *arg)
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
		count_partition(k, p);
	command_start(&c, "HKEYS");
	command_key(&c, REDIS_GLOBAL, "projects");
	redis_call(k->redis, &c, 1, 5000, on_projects, k);
}

/* ---- the role ---- */

static int start_rounds(struct keeper *k)
{
	unsigned partitions = redis_partitions(k->redis);

	k->n_rounds = partitions * CHORES;
	k->rounds = calloc(k->n_rounds, sizeof(*k->rounds));
	if (!k->rounds)
		return -1;
	for (size_t i = 0; i < k->n_rounds; i++) {
		struct round *r = &k->rounds[i];

		*r = (struct round){k, &chores[i % CHORES], (unsigned)(i / CHORES), {NULL}};
		if (loop_timer_init(&r->timer, k->loop, do_chore, r) < 0)
			return -1;
		loop_timer_set(&r->timer, 0);
	}
	if (loop_timer_init(&k->census, k->loop, census, k) < 0)
		return -1;
	loop_timer_set(&k->census, 0);
	return 0;
}

static void on_term(void *arg)
{
	loop_stop(arg);
}

/* The number of partitions is known only once the store answered. */
static void wait_for_store(void *arg)
{
	struct keeper *k = arg;

	if (!redis_is_connected(k->redis)) {
		loop_timer_set(&k->census, 100);
		return;
	}
	loop_timer_deinit(&k->census);
	if (start_rounds(k) < 0)
		abort();
}

int role_keeper(const struct role_context *ctx)
{
	struct keeper k = {.config = ctx->config};
	struct err e;
	int rc = 1;

	k.loop = loop_new();
	if (!k.loop || redis_open(&k.redis, k.loop, ctx->config, REDIS_SCRIPTS, &e) < 0) {
		LOG(LOG_ERROR, "keeper.cannot_start",
		    LOG_S("reason", k.loop ? e.text : "no memory"));
		goto out;
	}
	if (loop_signal(k.loop, SIGTERM, on_term, k.loop) < 0 ||
	    loop_signal(k.loop, SIGINT, on_term, k.loop) < 0 ||
	    loop_timer_init(&k.census, k.loop, wait_for_store, &k) < 0)
		goto out;
	loop_timer_set(&k.census, 0);
	rc = loop_run(k.loop) < 0;
out:
	redis_abandon(k.redis);
	for (size_t i = 0; i < k.n_rounds; i++)
		loop_timer_deinit(&k.rounds[i].timer);
	loop_timer_deinit(&k.census);
	free(k.rounds);
	free(k.projects);
	redis_close(k.redis);
	loop_free(k.loop);
	return rc;
}
