/* API keys and projects over the API. */
#include "api/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/http/body.h"
#include "api/json/check.h"
#include "api/once.h"
#include "api/page.h"
#include "api/messages/render.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/json_text.h"

#define NAME_MAX_CHARS 100

static const struct {
	const char *name;
	unsigned scope;
} scopes[] = {{"send", SCOPE_SEND}, {"read", SCOPE_READ}, {"manage", SCOPE_MANAGE}};
#define SCOPES (sizeof(scopes) / sizeof(*scopes))

static bool is_root(const struct request *r)
{
	return request_key(r)->scopes & SCOPE_ROOT;
}

/* ---- as JSON ---- */

static const char *mode_of(const struct key *key)
{
	return key->is_test ? "test" : "live";
}

static json_t *scopes_json(unsigned all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < SCOPES; i++)
		if (all & scopes[i].scope)
			json_array_append_new(list, json_string(scopes[i].name));
	return list;
}

static json_t *time_or_null(int64_t ms)
{
	return ms ? render_time(ms) : json_null();
}

static json_t *key_json(const struct key *k, const char *text)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:s, s:o, s:s*}", "id", k->id, "name",
			 json_text(k->name, strlen(k->name)), "mode", mode_of(k), "scopes",
			 scopes_json(k->scopes), "project_id", k->project_id, "created_at",
			 time_or_null(k->created_ms), "key", text);
}

static json_t *project_json(const struct project *p)
{
	return json_pack("{s:s, s:o, s:o}", "id", p->id, "name",
			 json_text(p->name, strlen(p->name)), "created_at",
			 time_or_null(p->created_ms));
}

static void respond_made(struct request *r, json_t *take_body)
{
	if (!take_body) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	response_header(r, "Cache-Control", "no-store");
	response_json(r, 201, take_body);
}

/* ---- create a key ---- */

struct body {
	const char *name, *mode, *project;
	unsigned scopes;
};

static int take_text(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	*(const char **)at = v->text;
	return check_line(v, e);
}

static int take_mode(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	static const char *const words[] = {"live", "test", NULL};
	size_t which;

	(void)run;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	*(const char **)at = words[which];
	return 0;
}

static int take_scope(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	static const char *const words[] = {"send", "read", "manage", NULL};
	size_t which;

	(void)run;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	*(unsigned *)at |= scopes[which].scope;
	return 0;
}

static const struct rule scope_item = {.types = RULE_STRING, .take = take_scope};

static const struct rule key_rules[] = {
	{.field = "name",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 1,
	 .max = NAME_MAX_CHARS,
	 .at = offsetof(struct body, name),
	 .take = take_text},
	{.field = "scopes",
	 .types = RULE_ARRAY,
	 .is_required = true,
	 .min = 1,
	 .max = SCOPES,
	 .at = offsetof(struct body, scopes),
	 .each = &scope_item},
	{.field = "mode",
	 .types = RULE_STRING,
	 .at = offsetof(struct body, mode),
	 .take = take_mode},
	{.field = "project",
	 .types = RULE_STRING,
	 .min = 1,
	 .max = NAME_MAX_CHARS,
	 .at = offsetof(struct body, project),
	 .take = take_text},
};

/* The keys that this key may see and revoke: those of its project and mode; all with the root key.
 */
static struct keys_of reach_of(const struct request *r)
{
	const struct key *own = request_key(r);

	if (is_root(r))
		return (struct keys_of){0};
	return (struct keys_of){own->project_id, mode_of(own)};
}

/* NULL, or why this key may not make that one. */
static const char *why_not(const struct request *r, const struct body *b)
{
	const struct key *own = request_key(r);

	if (is_root(r))
		return NULL;
	if (b->project && strcmp(b->project, own->project_id) != 0)
		return "A key makes keys of its own project only. The root key makes keys of any "
		       "project.";
	if (b->scopes & ~own->scopes)
		return "A key can only create keys with scopes that it has itself.";
	if (b->mode && strcmp(b->mode, mode_of(own)) != 0)
		return "A key makes keys of its own mode only (live or test). The root key makes "
		       "keys of both.";
	return NULL;
}

static void on_made(const struct key *key, const char *text, const struct err *why, void *arg)
{
	struct request *r = arg;

	if (!key && why->kind == ERR_REFUSED) {
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", why->text);
	} else if (!key) {
		response_err(r, why);
	} else {
		LOG(LOG_INFO, "key.created", LOG_S("key", key->id),
		    LOG_S("project", key->project_id), LOG_S("by", request_key(r)->id),
		    LOG_S("request", request_id(r)));
		respond_made(r, key_json(key, text));
	}
}

static void make_key(struct request *r)
{
	const struct key *own = request_key(r);
	struct body b = {0};
	const char *reason;
	json_t *json = NULL;
	bool is_test;

	if (body_read(r, key_rules, sizeof(key_rules) / sizeof(*key_rules), &b, &json) < 0)
		return;
	reason = why_not(r, &b);
	is_test = b.mode ? strcmp(b.mode, "test") == 0 : own->is_test;
	if (reason)
		response_problem(r, PROBLEM_FORBIDDEN, NULL, "%s", reason);
	else
		keys_create(request_api(r)->redis,
			    !is_root(r) ? own->project_id
			    : b.project ? b.project
					: "default",
			    b.name, b.scopes, is_test, on_made, r);
	json_decref(json);
}

void keys_post(struct request *r)
{
	once_run(r, true, make_key);
}

/* ---- lists: the cursor is the id of the last one shown ---- */

struct listing {
	struct page page;
	char last[ID_LEN + 1];
};

static int read_page(struct request *r, struct listing *l, const char *prefix,
		     const char *const *names)
{
	struct err e;

	if (page_read(r, names, &l->page, &e) < 0) {
		response_err(r, &e);
		return -1;
	}
	if (!l->page.cursor || id_valid(prefix, l->page.cursor))
		return 0;
	page_bad_cursor(&e);
	response_err(r, &e);
	return -1;
}

static struct listing *listing_new(struct request *r)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l)
		request_set_state(r, l, free);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
	return l;
}

static void on_keys(const struct key *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);
	json_t *data;

	if (why) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; i < n; i++) {
		if (!page_shows(&l->page, data, list[i].id))
			continue;
		json_array_append_new(data, key_json(&list[i], NULL));
		snprintf(l->last, sizeof(l->last), "%s", list[i].id);
	}
	page_respond(r, data, json_array_size(data) == l->page.limit ? l->last : NULL);
}

void keys_list_get(struct request *r)
{
	static const char *const own_names[] = {NULL};
	static const char *const root_names[] = {"project", NULL};
	const char *project = request_query(r, "project");
	struct keys_of of = reach_of(r);
	struct listing *l = listing_new(r);

	if (!l || read_page(r, l, "key", is_root(r) ? root_names : own_names) < 0)
		return;
	if (is_root(r))
		of.project = project ? project : "default";
	keys_list(request_api(r)->redis, &of, on_keys, r);
}

static void on_revoked(const struct err *why, void *arg)
{
	struct request *r = arg;

	if (why) {
		response_err(r, why);
		return;
	}
	LOG(LOG_INFO, "key.revoked", LOG_S("key", request_param(r, 0)),
	    LOG_S("by", request_key(r)->id), LOG_S("request", request_id(r)));
	response_text(r, 204, "", "", 0);
}

void keys_delete(struct request *r)
{
	struct keys_of of = reach_of(r);

	keys_revoke(request_api(r)->redis, &of, request_param(r, 0), on_revoked, r);
}

/* ---- projects ---- */

static void on_projects(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);
	json_t *data;

	if (why) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; i < n; i++) {
		if (!page_shows(&l->page, data, list[i].id))
			continue;
		json_array_append_new(data, project_json(&list[i]));
		snprintf(l->last, sizeof(l->last), "%s", list[i].id);
	}
	page_respond(r, data, json_array_size(data) == l->page.limit ? l->last : NULL);
}

void projects_list_get(struct request *r)
{
	static const char *const names[] = {NULL};
	struct listing *l = listing_new(r);

	if (l && read_page(r, l, "prj", names) == 0)
		projects_list(request_api(r)->redis, on_projects, r);
}

static void on_project(const struct project *list, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;

	(void)n;
	if (why && why->kind == ERR_INPUT)
		response_problem(r, PROBLEM_CONFLICT, NULL, "%s", why->text);
	else if (why)
		response_err(r, why);
	else
		respond_made(r, project_json(list));
}

static const struct rule project_rules[] = {
	{.field = "name",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 1,
	 .max = NAME_MAX_CHARS,
	 .at = offsetof(struct body, name),
	 .take = take_text},
};

static void make_project(struct request *r)
{
	struct body b = {0};
	json_t *json = NULL;

	if (body_read(r, project_rules, 1, &b, &json) < 0)
		return;
	projects_create(request_api(r)->redis, b.name, on_project, r);
	json_decref(json);
}

void projects_post(struct request *r)
{
	once_run(r, false, make_project);
}
