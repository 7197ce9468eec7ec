/* The keeper: runs the store's periodic scripts. Any number of keepers may run: each script gives
 * the same result however often it runs. */
#include "server/keeper/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/base/id.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/keeper/census.h"
#include "server/redis/link/command.h"
#include "server/store/queue/accept.h"
#include "server/store/queue/release.h"
#include "server/store/projects/suppression_sync.h"
#include "server/store/projects/tenant.h"
#include "server/redis/redis.h"

#define STEP_MAX 200
#define SLOWER_MAX 5
#define LOOK_FIRST_MS 100
#define LOOK_MS 1000

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
	struct round *rounds[ID_PARTITIONS]; /* CHORES for each partition */
	unsigned n_partitions;
	struct census census;
	struct loop_timer look;
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

	for (const char *p = k->census.projects; p && *p; p += strlen(p) + 1) {
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

/* With many partitions each has its turn less often, so that idle ones cost little. */
static int64_t turn_ms(const struct round *r)
{
	int64_t slower = redis_partitions(r->keeper->redis) / 8;

	slower = slower < 1 ? 1 : slower > SLOWER_MAX ? SLOWER_MAX : slower;
	return r->chore->every_ms * slower;
}

static void schedule(struct round *r, bool has_more)
{
	loop_timer_set(&r->timer, has_more ? 0 : turn_ms(r));
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

/* ---- the role ---- */

static void free_rounds(struct round *rounds)
{
	for (size_t i = 0; i < CHORES; i++)
		loop_timer_deinit(&rounds[i].timer);
	free(rounds);
}

/* NULL: out of memory. */
static struct round *new_rounds(struct keeper *k, unsigned partition)
{
	struct round *rounds = calloc(CHORES, sizeof(*rounds));

	for (size_t i = 0; rounds && i < CHORES; i++) {
		rounds[i] = (struct round){k, &chores[i], partition, {NULL}};
		if (loop_timer_init(&rounds[i].timer, k->loop, do_chore, &rounds[i]) < 0) {
			free_rounds(rounds);
			return NULL;
		}
	}
	for (size_t i = 0; rounds && i < CHORES; i++)
		loop_timer_set(&rounds[i].timer, 0);
	return rounds;
}

/* Begins to work on partitions that are new, or that are known for the first time. */
static int add_partitions(struct keeper *k)
{
	while (k->n_partitions < redis_partitions(k->redis)) {
		struct round *rounds = new_rounds(k, k->n_partitions);

		if (!rounds)
			return -1;
		k->rounds[k->n_partitions++] = rounds;
	}
	return 0;
}

static int go_on(struct keeper *k)
{
	if (!k->n_partitions && census_start(&k->census, k->loop, k->redis) < 0)
		return -1;
	return add_partitions(k);
}

/* Only Redis knows the number of partitions, which may grow. */
static void look_for_partitions(void *arg)
{
	struct keeper *k = arg;

	loop_timer_set(&k->look, k->n_partitions ? LOOK_MS : LOOK_FIRST_MS);
	if (!redis_is_connected(k->redis) || go_on(k) == 0)
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
	if (loop_timer_init(&k->look, k->loop, look_for_partitions, k) < 0)
		return err_oom(e);
	loop_timer_set(&k->look, 0);
	return 0;
}

static void stop(struct role *r)
{
	struct keeper *k = r->state;

	for (unsigned p = 0; p < k->n_partitions; p++)
		free_rounds(k->rounds[p]);
	loop_timer_deinit(&k->look);
	census_stop(&k->census);
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
