/* Projects. */
#include "server/store/projects/projects.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/base/id.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/projects/stored_json.h"

#define LIMIT_MS 3000

int project_read(const struct resp *text, struct project *p)
{
	json_t *root;
	int rc = stored_json_row(resp_text(text), resp_len(text), &root);

	if (rc < 0)
		return rc;
	*p = (struct project){0};
	stored_json_copy(root, "id", p->id, sizeof(p->id));
	stored_json_copy(root, "name", p->name, sizeof(p->name));
	p->quota = (struct quota){
		.queued_messages = stored_json_number(root, "queued_messages"),
		.stored_bytes = stored_json_number(root, "stored_bytes"),
	};
	p->weight = stored_json_number(root, "weight");
	p->created_ms = stored_json_number(root, "created");
	if (json_object_get(root, "deleted"))
		p->id[0] = 0;
	json_decref(root);
	return *p->id ? 0 : RESP_ROW_SKIPPED;
}

/* ---- creation and lists ---- */

struct projects_call {
	projects_fn *fn;
	void *arg;
};

static int read_project_row(const struct resp *array, size_t at, void *out, void *context)
{
	(void)context;
	return project_read(resp_item(array, at), out);
}

static int newest_project_first(const void *a, const void *b)
{
	return strcmp(((const struct project *)b)->id, ((const struct project *)a)->id);
}

static void on_project_made(const struct call_result *result, void *context)
{
	const struct projects_call *c = context;
	struct project project;
	struct err why;

	err_set(&why, ERR_INPUT, "a project with this name exists");
	if (result->end == CALL_ANSWERED && project_read(result->reply, &project) == 0)
		c->fn(&project, 1, NULL, c->arg);
	else
		c->fn(NULL, 0, result->why ? result->why : &why, c->arg);
}

static void on_projects(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, 1, sizeof(struct project), read_project_row,
						NULL};
	const struct projects_call *c = context;
	struct resp_rows rows;
	struct err e;

	if (resp_read_result(result, &shape, NULL, &rows, &e) < 0) {
		c->fn(NULL, 0, &e, c->arg);
		return;
	}
	qsort(rows.list, rows.n, sizeof(struct project), newest_project_first);
	c->fn(rows.list, rows.n, NULL, c->arg);
	free(rows.list);
}

void projects_create(struct redis *redis, const char *id, const char *name, projects_fn *fn,
		     void *arg)
{
	struct projects_call call = {fn, arg};
	struct id fresh = id_make("prj", 0);
	struct command c = {0};

	script_project_make(
		&c, REDIS_GLOBAL,
		&(struct script_project_make){.id = id ? id : fresh.text, .name = name});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_project_made, call));
}

/* ---- settings ---- */

struct change {
	struct redis *redis;
	struct projects_call end;
	bool has_weight; /* the weight is among the settings */
	struct project project;
	struct call_group calls;
	unsigned n_weighed; /* partitions that have the new weight */
};

static void end_change(struct change *change, const struct err *why)
{
	change->end.fn(why ? NULL : &change->project, why ? 0 : 1, why, change->end.arg);
	free(change);
}

static void on_weighed(const struct call_result *result, void *context)
{
	struct change *change = context;
	struct call_group *calls = &change->calls;

	change->n_weighed += result->end == CALL_ANSWERED;
	if (!call_group_end(calls, result))
		return;
	if (calls->has_failed)
		err_prefix(&calls->why,
			   "the weight is stored in %u of %u partitions; set it again to store it "
			   "in all",
			   change->n_weighed, redis_partitions(change->redis));
	end_change(change, calls->has_failed ? &calls->why : NULL);
}

/* Each partition has a copy of the weight, because take reads it there. */
static void weigh(struct change *change, const char *number)
{
	unsigned n = redis_partitions(change->redis);

	change->calls = (struct call_group){.n_open = n};
	for (unsigned p = 0; p < n; p++) {
		struct command c = {0};

		script_project_weigh(&c, p,
				     &(struct script_project_weigh){
					     .project = number, .weight = change->project.weight});
		redis_call(change->redis, &c, 1, LIMIT_MS, CALLBACK(on_weighed, change));
	}
}

static void on_project_set(const struct call_result *result, void *context)
{
	const struct resp *reply = result->reply;
	struct change *change = context;
	struct err why;

	err_set(&why, ERR_NOT_FOUND, "no such project");
	if (result->end != CALL_ANSWERED)
		end_change(change, result->why);
	else if (project_read(resp_item(reply, PROJECT_SET_JSON), &change->project) < 0)
		end_change(change, &why);
	else if (change->has_weight)
		weigh(change, resp_text(resp_item(reply, PROJECT_SET_NUMBER)));
	else
		end_change(change, NULL);
}

void projects_set(struct redis *redis, const char *project, const struct project_setting *settings,
		  size_t n, projects_fn *fn, void *arg)
{
	struct projects_call call = {fn, arg};
	struct change *change = calloc(1, sizeof(*change));
	struct command c = {0};

	if (!change) {
		redis_call_oom(redis, CALLBACK_COPY(on_projects, call));
		return;
	}
	*change = (struct change){.redis = redis, .end = call};
	script_project_set(&c, REDIS_GLOBAL, &(struct script_project_set){.name = project});
	for (size_t i = 0; i < n; i++) {
		script_project_set_item(
			&c, &(struct script_project_set_item){.setting = settings[i].name,
							      .value = settings[i].value});
		change->has_weight |= strcmp(settings[i].name, "weight") == 0;
	}
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK(on_project_set, change));
}

/* ---- deletion ---- */

struct deletion {
	project_done_fn *fn;
	void *arg;
};

static void on_deleted(const struct call_result *result, void *context)
{
	const struct deletion *d = context;
	struct err why;

	if (resp_is_text(result->reply))
		err_set(&why, ERR_REFUSED, "%.100s", resp_text(result->reply));
	else
		err_set(&why, ERR_NOT_FOUND, "no such project");
	if (result->end != CALL_ANSWERED)
		why = *result->why;
	d->fn(resp_number(result->reply) == 1 ? NULL : &why, d->arg);
}

void projects_delete(struct redis *redis, const char *project, project_done_fn *fn, void *arg)
{
	struct deletion d = {fn, arg};
	struct command c = {0};

	script_project_delete(&c, REDIS_GLOBAL, &(struct script_project_delete){.name = project});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_deleted, d));
}

void projects_list(struct redis *redis, projects_fn *fn, void *arg)
{
	struct projects_call call = {fn, arg};
	struct command c = {0};

	script_project_list(&c, REDIS_GLOBAL);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_projects, call));
}
