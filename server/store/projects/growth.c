/* Raises the number of partitions of a store in use. */
#include "server/store/projects/growth.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/id.h"
#include "server/base/loop.h"
#include "server/redis/link/command.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"
#include "server/store/projects/stored_json.h"
#include "server/store/projects/tenant.h"

#define LIMIT_MS 10000
#define SCAN_COUNT 200 /* suppressions copied in one call, about */

struct growth {
	struct redis *redis;
	unsigned wanted, first; /* the new partitions: first to wanted - 1 */
	struct loop_timer timer;
	struct call_group calls;
	char (*tenants)[TENANT_MAX];
	size_t n_tenants, tenant; /* tenant: whose suppressions are copied */
	char scan[24];            /* the cursor of HSCAN */
	bool is_scanning;
	struct growth_result result;
	growth_fn *fn;
	void *arg;
};

static void end_growth(struct growth *g, const struct err *why)
{
	g->fn(why ? NULL : &g->result, why, g->arg);
	loop_timer_deinit(&g->timer);
	free(g->tenants);
	free(g);
}

/* Takes one result. True: all calls of the step have succeeded. */
static bool end_call(struct growth *g, const struct call_result *result)
{
	if (!call_group_end(&g->calls, result))
		return false;
	if (!g->calls.has_failed)
		return true;
	end_growth(g, &g->calls.why);
	return false;
}

/* ---- 3: new messages use the partitions ---- */

static void on_used(const struct call_result *result, void *context)
{
	struct growth *g = context;

	g->result.from_ms = resp_number_at(result->reply, PARTITIONS_USE_FROM_MS);
	end_growth(g, result->why);
}

static void use_partitions(struct growth *g)
{
	struct command c = {0};

	script_partitions_use(&c, REDIS_GLOBAL,
			      &(struct script_partitions_use){.wanted = g->wanted,
							      .ahead_ms = PARTITIONS_AHEAD_MS});
	redis_call(g->redis, &c, 0, LIMIT_MS, CALLBACK(on_used, g));
}

/* ---- 2: copies ---- */

static void scan_suppressions(struct growth *g);

static void on_copied(const struct call_result *result, void *context)
{
	struct growth *g = context;

	if (end_call(g, result))
		scan_suppressions(g);
}

/* pairs: {address, json, ...} of the tenant */
static void copy_to(struct growth *g, unsigned partition, const struct resp *pairs)
{
	struct command c = {0};

	script_suppression_copy(&c, partition);
	for (size_t i = 0; i + 1 < resp_count(pairs); i += 2)
		script_suppression_copy_item(&c,
					     &(struct script_suppression_copy_item){
						     .tenant = g->tenants[g->tenant],
						     .address = resp_text(resp_item(pairs, i)),
						     .json = resp_text(resp_item(pairs, i + 1))});
	g->calls.n_open++;
	redis_call(g->redis, &c, 0, LIMIT_MS, CALLBACK(on_copied, g));
}

/* {cursor, pairs} */
static void on_scanned(const struct call_result *result, void *context)
{
	const struct resp *pairs = resp_item(result->reply, 1);
	struct growth *g = context;

	if (result->end != CALL_ANSWERED) {
		end_growth(g, result->why);
		return;
	}
	snprintf(g->scan, sizeof(g->scan), "%s", resp_text(resp_item(result->reply, 0)));
	g->result.suppressions += resp_count(pairs) / 2;
	g->calls = (struct call_group){0};
	for (unsigned p = g->first; resp_count(pairs) && p < g->wanted; p++)
		copy_to(g, p, pairs);
	if (!g->calls.n_open)
		scan_suppressions(g);
}

/* Partition 0 has all entries, except new ones, which suppression_sync copies. Redis begins and
 * ends a scan with the cursor 0. */
static void scan_suppressions(struct growth *g)
{
	struct command c = {0};

	if (g->is_scanning && strcmp(g->scan, "0") == 0)
		g->tenant++;
	g->is_scanning = true;
	if (g->tenant == g->n_tenants) {
		use_partitions(g);
		return;
	}
	command_start(&c, "HSCAN");
	command_key(&c, 0, KEY_SUPPRESSED, g->tenants[g->tenant]);
	command_str(&c, g->scan);
	command_str(&c, "COUNT");
	command_num(&c, SCAN_COUNT);
	redis_call(g->redis, &c, 1, LIMIT_MS, CALLBACK(on_scanned, g));
}

static void on_weighed(const struct call_result *result, void *context)
{
	struct growth *g = context;

	if (end_call(g, result))
		scan_suppressions(g);
}

static void weigh(struct growth *g, const char *number, int64_t weight)
{
	for (unsigned p = g->first; weight && p < g->wanted; p++) {
		struct command c = {0};

		script_project_weigh(
			&c, p, &(struct script_project_weigh){.project = number, .weight = weight});
		g->calls.n_open++;
		redis_call(g->redis, &c, 0, LIMIT_MS, CALLBACK(on_weighed, g));
	}
}

static void add_project(struct growth *g, const struct resp *number, const struct resp *json)
{
	json_t *project = stored_json_load(resp_text(json), resp_len(json));

	tenant_name(resp_text(number), false, g->tenants[g->n_tenants++]);
	tenant_name(resp_text(number), true, g->tenants[g->n_tenants++]);
	weigh(g, resp_text(number), stored_json_number(project, "weight"));
	json_decref(project);
}

/* {number, json, ...} of all projects */
static void on_projects(const struct call_result *result, void *context)
{
	const struct resp *list = result->reply;
	struct growth *g = context;
	struct err why;

	if (result->end != CALL_ANSWERED) {
		end_growth(g, result->why);
		return;
	}
	g->calls = (struct call_group){0};
	g->tenants = calloc(resp_count(list) + 1, sizeof(*g->tenants));
	if (!g->tenants) {
		err_oom(&why);
		end_growth(g, &why);
		return;
	}
	for (size_t i = 0; i + 1 < resp_count(list); i += 2)
		add_project(g, resp_item(list, i), resp_item(list, i + 1));
	if (!g->calls.n_open)
		scan_suppressions(g);
}

/* All processes have read the number of partitions. */
static void copy(void *arg)
{
	struct growth *g = arg;
	struct command c = {0};

	command_start(&c, "HGETALL");
	command_key(&c, REDIS_GLOBAL, KEY_PROJECTS);
	redis_call(g->redis, &c, 1, LIMIT_MS, CALLBACK(on_projects, g));
}

/* ---- 1: the partitions exist ---- */

static void on_added(const struct call_result *result, void *context)
{
	struct growth *g = context;

	if (result->end == CALL_ANSWERED)
		loop_timer_set(&g->timer, PARTITIONS_KNOWN_MS);
	else
		end_growth(g, result->why);
}

static void on_prepared(const struct call_result *result, void *context)
{
	struct growth *g = context;
	struct command c = {0};

	if (!end_call(g, result))
		return;
	script_partitions_add(&c, REDIS_GLOBAL,
			      &(struct script_partitions_add){.wanted = g->wanted});
	redis_call(g->redis, &c, 0, LIMIT_MS, CALLBACK(on_added, g));
}

/* ---- begin ---- */

/* In a Redis Cluster, a node that is away would have some of the new partitions. */
static int check_nodes(const struct redis *redis, struct err *e)
{
	const char *why;

	for (unsigned p = 0; p < redis_partitions(redis); p++)
		if (!redis_partition_is_ready(redis, p, &why))
			return err_set(e, ERR_RETRY, "partition %u is not ready: %s", p, why);
	return 0;
}

static int check(const struct partitions *all, unsigned wanted, struct err *e)
{
	unsigned used = all->steps[all->n_steps - 1].n;

	if (wanted == 0 || wanted > ID_PARTITIONS)
		return err_set(e, ERR_INPUT, "a number of partitions from 1 to %d is expected",
			       ID_PARTITIONS);
	if (wanted < all->n && used < all->n)
		return err_set(e, ERR_INPUT,
			       "the number cannot be reduced, and a growth to %u partitions was "
			       "not completed: set the number to %u",
			       all->n, all->n);
	if (wanted < all->n)
		return err_set(
			e, ERR_INPUT,
			"the store has %u partitions, and the number cannot be reduced: messages "
			"name their partition",
			all->n);
	if (wanted > used && all->n_steps == PARTITIONS_STEPS_MAX)
		return err_set(e, ERR_INPUT,
			       "the number has been raised %d times, and cannot be raised again",
			       PARTITIONS_STEPS_MAX - 1);
	return 0;
}

void growth_run(struct redis *redis, unsigned wanted, growth_fn *fn, void *arg)
{
	const struct partitions *all = redis_growth(redis);
	struct growth *g = calloc(1, sizeof(*g));
	struct err e;

	if (!g || loop_timer_init(&g->timer, redis_loop(redis), copy, g) < 0) {
		free(g);
		err_oom(&e);
		fn(NULL, &e, arg);
		return;
	}
	g->redis = redis;
	g->wanted = wanted;
	g->first = all->steps[all->n_steps - 1].n;
	snprintf(g->scan, sizeof(g->scan), "0");
	g->fn = fn;
	g->arg = arg;
	if (check(all, wanted, &e) < 0 || check_nodes(redis, &e) < 0) {
		end_growth(g, &e);
		return;
	}
	if (wanted == g->first) {
		end_growth(g, NULL);
		return;
	}
	for (unsigned p = g->first; p < wanted; p++) {
		g->calls.n_open++;
		redis_prepare_partition(redis, p, CALLBACK(on_prepared, g));
	}
}
