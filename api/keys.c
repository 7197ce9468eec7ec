/* /v1/keys: API keys over the API. */
#include "api/keys.h"

#include <string.h>

#include "api/http/response.h"
#include "api/body.h"
#include "api/json/check.h"
#include "api/once.h"
#include "api/page.h"
#include "api/messages/render.h"
#include "server/base/log.h"
#include "server/base/json_text.h"
#include "server/store/projects/key_scopes.h"

#define NAME_MAX_CHARS 100

static bool is_root(const struct request *r)
{
	return request_key(r)->scopes & SCOPE_ROOT;
}

/* ---- as JSON ---- */

static const char *mode_of(const struct key *key)
{
	return key->is_test ? "test" : "live";
}

static json_t *key_json(const struct key *k, const char *text)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:s, s:o, s:s*}", "id", k->id, "name",
			 json_text(k->name, strlen(k->name)), "mode", mode_of(k), "scopes",
			 key_scopes_json(k->scopes), "project_id", k->project_id, "created_at",
			 render_time_or_null(k->created_ms), "key", text);
}

/* ---- create a key ---- */

struct body {
	const char *name, *mode, *project;
	unsigned scopes;
};

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
	const char *words[KEY_SCOPES + 1] = {0};
	size_t which;

	(void)run;
	for (size_t i = 0; i < KEY_SCOPES; i++)
		words[i] = key_scope_names[i].name;
	if (check_word(v, words, &which, e) < 0)
		return -1;
	*(unsigned *)at |= key_scope_names[which].scope;
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
	 .take = check_take_line},
	{.field = "scopes",
	 .types = RULE_ARRAY,
	 .is_required = true,
	 .min = 1,
	 .max = KEY_SCOPES,
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
	 .take = check_take_line},
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
		response_json(r, 201, key_json(key, text));
	}
}

static void create_key(struct request *r, const struct body *b, const struct once_seed *seed)
{
	const struct key *own = request_key(r);
	struct id id = once_id(seed, "key");
	char text[KEY_TEXT_MAX];
	struct key_draft draft = {
		.project = !is_root(r)  ? own->project_id
			   : b->project ? b->project
					: "default",
		.name = b->name,
		.scopes = b->scopes,
		.is_test = b->mode ? strcmp(b->mode, "test") == 0 : own->is_test,
		.id = id.text,
		.text = text,
	};

	keys_write_text(draft.is_test, seed->secret, text);
	keys_create(request_api(r)->redis, &draft, on_made, r);
	explicit_bzero(text, sizeof(text));
}

static void make_key(struct request *r, const struct once_seed *seed)
{
	struct body b = {0};
	const char *reason;
	json_t *json = NULL;

	if (body_read(r, key_rules, sizeof(key_rules) / sizeof(*key_rules), &b, &json) < 0)
		return;
	reason = why_not(r, &b);
	if (reason)
		response_problem(r, PROBLEM_FORBIDDEN, NULL, "%s", reason);
	else
		create_key(r, &b, seed);
	json_decref(json);
}

void keys_post(struct request *r)
{
	once_run(r, true, make_key);
}

/* ---- the list ---- */

static json_t *row_json(const void *row)
{
	return key_json(row, NULL);
}

static void on_keys(const struct key *list, size_t n, const struct err *why, void *arg)
{
	page_respond_rows(arg, &(struct page_rows){(const char *)list, sizeof(*list), n}, why,
			  row_json);
}

void keys_list_get(struct request *r)
{
	static const char *const own_names[] = {NULL};
	static const char *const root_names[] = {"project", NULL};
	const char *project = request_query(r, "project");
	struct keys_of of = reach_of(r);

	if (is_root(r))
		of.project = project ? project : "default";
	if (page_begin_ids(r, "key", is_root(r) ? root_names : own_names))
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
