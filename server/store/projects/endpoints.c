/* Webhook endpoints in the store. */
#include "server/base/json_text.h"
#include "server/store/projects/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/projects/stored_json.h"

#define LIMIT_MS 5000
#define TESTS_OF_ALL_MAX 1000
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

void endpoint_seal_name(const char *id, char out[64])
{
	snprintf(out, 64, "webhook %s", id);
}

int endpoint_parse(const char *id, const char *project, const char *text, size_t len,
		   struct endpoint *out)
{
	json_t *json = NULL;
	int rc = stored_json_row(text, len, &json);
	struct endpoint e = {.json = json, .text = rc == 0 ? strndup(text, len) : NULL};

	if (rc < 0 || !e.text) {
		endpoint_deinit(&e);
		return rc < 0 ? rc : RESP_ROW_OOM;
	}
	snprintf(e.id, sizeof(e.id), "%s", id);
	snprintf(e.project, sizeof(e.project), "%s", project);
	e.url = stored_json_text(json, "url");
	e.description = stored_json_text(json, "description");
	e.events = json_object_get(json, "events");
	e.secret = stored_json_text(json, "secret");
	e.old_secret = json_string_value(json_object_get(json, "old_secret"));
	e.old_until_ms = json_integer_value(json_object_get(json, "old_until"));
	e.is_enabled = json_is_true(json_object_get(json, "enabled"));
	e.disabled_reason = stored_json_text(json, "disabled_reason");
	e.disabled_ms = (int64_t)json_number_value(json_object_get(json, "disabled_at"));
	e.lost_from_ms = json_integer_value(json_object_get(json, "lost_from"));
	e.lost_until_ms = json_integer_value(json_object_get(json, "lost_until"));
	e.created_ms = json_integer_value(json_object_get(json, "created"));
	if (!*e.url || !*e.secret || !json_is_array(e.events)) {
		endpoint_deinit(&e);
		return RESP_ROW_SKIPPED;
	}
	*out = e;
	return 0;
}

void endpoint_deinit(struct endpoint *e)
{
	json_decref(e->json);
	free(e->text);
	*e = (struct endpoint){0};
}

static char *write_text(const struct endpoint *e)
{
	json_t *json = json_pack(
		"{s:s, s:s, s:O, s:s, s:s*, s:I, s:b, s:s, s:I, s:I, s:I, s:I}", "url", e->url,
		"description", e->description, "events", e->events, "secret", e->secret,
		"old_secret", e->old_secret, "old_until", (json_int_t)e->old_until_ms, "enabled",
		e->is_enabled, "disabled_reason", e->disabled_reason, "disabled_at",
		(json_int_t)e->disabled_ms, "created", (json_int_t)e->created_ms, "lost_from",
		(json_int_t)e->lost_from_ms, "lost_until", (json_int_t)e->lost_until_ms);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

/* ---- reading ---- */

struct lookup {
	char project[12];
	char id[ID_LEN + 1]; /* "": all endpoints of the project */
	endpoints_fn *fn;
	void *arg;
};

static int oldest_first(const void *a, const void *b)
{
	return strcmp(((const struct endpoint *)a)->id, ((const struct endpoint *)b)->id);
}

/* id, JSON */
static int read_row(const struct resp *array, size_t at, void *out, void *context)
{
	const struct resp *json = resp_item(array, at + 1);
	const struct lookup *l = context;

	return endpoint_parse(resp_text(resp_item(array, at)), l->project, resp_text(json),
			      resp_len(json), out);
}

static void drop_row(void *row)
{
	endpoint_deinit(row);
}

static void on_list(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, 2, sizeof(struct endpoint), read_row, drop_row};
	struct lookup *l = context;
	struct resp_rows rows;
	struct endpoint *list;
	struct err e;

	if (resp_read_result(result, &shape, l, &rows, &e) < 0) {
		l->fn(NULL, 0, &e, l->arg);
		return;
	}
	list = rows.list;
	qsort(list, rows.n, sizeof(*list), oldest_first);
	l->fn(list, rows.n, NULL, l->arg);
	for (size_t i = 0; i < rows.n; i++)
		endpoint_deinit(&list[i]);
	free(list);
}

static void on_one(const struct call_result *result, void *context)
{
	const struct lookup *l = context;
	struct endpoint e = {0};
	struct err why;

	if (result->end == CALL_ANSWERED &&
	    endpoint_parse(l->id, l->project, resp_text(result->reply), resp_len(result->reply),
			   &e) == 0) {
		l->fn(&e, 1, NULL, l->arg);
		endpoint_deinit(&e);
		return;
	}
	err_set(&why, ERR_NOT_FOUND, "No webhook has this id.");
	l->fn(NULL, 0, result->why ? result->why : &why, l->arg);
}

static void look_up(struct redis *redis, const char *project, const char *id, endpoints_fn *fn,
		    void *arg)
{
	struct lookup l = {.fn = fn, .arg = arg};
	struct command c = {0};

	snprintf(l.project, sizeof(l.project), "%s", project);
	snprintf(l.id, sizeof(l.id), "%s", id);
	command_start(&c, *id ? "HGET" : "HGETALL");
	command_key(&c, REDIS_GLOBAL, KEY_ENDPOINTS, project);
	if (*id)
		command_str(&c, id);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(*id ? on_one : on_list, l));
}

void endpoints_list(struct redis *redis, const char *project, endpoints_fn *fn, void *arg)
{
	look_up(redis, project, "", fn, arg);
}

void endpoints_get(struct redis *redis, const char *project, const char *id, endpoints_fn *fn,
		   void *arg)
{
	look_up(redis, project, id, fn, arg);
}

/* ---- changing ---- */

struct change {
	const char *refusal; /* the text of a reply below 0 */
	endpoints_done_fn *fn;
	void *arg;
};

static void on_changed(const struct call_result *result, void *context)
{
	const struct change *c = context;
	int64_t done = resp_number(result->reply);
	struct err why = {0};

	if (result->end != CALL_ANSWERED)
		why = *result->why;
	else if (done == -2)
		err_set(&why, ERR_REFUSED, "the project was deleted");
	else if (done < 0)
		err_set(&why, ERR_REFUSED, "%s", c->refusal);
	else if (done == 0)
		err_set(&why, ERR_NOT_FOUND, "No webhook has this id.");
	c->fn(why.kind ? &why : NULL, c->arg);
}

static void send_change(struct redis *redis, struct command *c, const char *refusal,
			endpoints_done_fn *fn, void *arg)
{
	struct change change = {refusal, fn, arg};

	redis_call(redis, c, 1, LIMIT_MS, CALLBACK_COPY(on_changed, change));
}

void endpoints_put(struct redis *redis, const struct endpoint *e, const struct endpoint *before,
		   endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};
	char *text = write_text(e);

	script_endpoint_put(&c, REDIS_GLOBAL,
			    &(struct script_endpoint_put){
				    .project = e->project,
				    .id = e->id,
				    .before = before ? before->text : NULL,
				    .after = text,
				    .most = ENDPOINTS_MAX,
			    });
	c.bytes.failed |= !text; /* out of memory: ends as such */
	free(text);
	send_change(redis, &c, "a project has at most " TEXT(ENDPOINTS_MAX) " webhooks", fn, arg);
}

void endpoints_delete(struct redis *redis, const char *project, const char *id,
		      endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};

	script_endpoint_delete(&c, REDIS_GLOBAL,
			       &(struct script_endpoint_delete){.project = project, .id = id});
	send_change(redis, &c, "", fn, arg);
}

void endpoints_redeliver(struct redis *redis, const char *project, const char *id,
			 const char *message, unsigned n, endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};
	char event[ID_LEN + 16];

	snprintf(event, sizeof(event), "%s %u", message, n);
	script_endpoint_redeliver(
		&c, REDIS_GLOBAL,
		&(struct script_endpoint_redeliver){.project = project, .id = id, .event = event});
	send_change(redis, &c, "the webhook is disabled: enable it first", fn, arg);
}

/* ---- deliveries and tests ---- */

struct json_lookup {
	endpoints_log_fn *fn;
	void *arg;
};

/* An array: a list of JSON texts, without those that are damaged. A text: one JSON, NULL if it is
 * damaged. -1: out of memory. */
static int read_json(const struct resp *reply, json_t **json)
{
	json_t *one;

	if (!resp_is_array(reply))
		return stored_json_row(resp_text(reply), resp_len(reply), json) == RESP_ROW_OOM ? -1
												: 0;
	*json = json_array();
	for (size_t i = 0; i < resp_count(reply); i++) {
		const struct resp *text = resp_item(reply, i);

		if (stored_json_row(resp_text(text), resp_len(text), &one) != RESP_ROW_SKIPPED)
			json_list_add(json, one);
	}
	return *json ? 0 : -1;
}

static void on_json(const struct call_result *result, void *context)
{
	const struct json_lookup *l = context;
	json_t *json = NULL;
	struct err oom;

	if (result->end == CALL_ANSWERED && read_json(result->reply, &json) < 0) {
		err_oom(&oom);
		l->fn(NULL, &oom, l->arg);
		return;
	}
	l->fn(json, result->why, l->arg);
	json_decref(json);
}

static void look_up_json(struct redis *redis, struct command *c, endpoints_log_fn *fn, void *arg)
{
	struct json_lookup l = {fn, arg};

	redis_call(redis, c, 1, LIMIT_MS, CALLBACK_COPY(on_json, l));
}

void endpoints_deliveries(struct redis *redis, const char *id, bool failed_only,
			  endpoints_log_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "LRANGE");
	if (failed_only)
		command_key(&c, REDIS_GLOBAL, KEY_DELIVERIES_FAILED, id);
	else
		command_key(&c, REDIS_GLOBAL, KEY_DELIVERIES, id);
	command_num(&c, 0);
	command_num(&c, -1); /* lua/webhooks/deliveries_report.lua keeps 100 */
	look_up_json(redis, &c, fn, arg);
}

void endpoints_ask_test(struct redis *redis, const struct endpoint *e, const char *event_id,
			const char *project_id, endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};

	script_endpoint_test(&c, REDIS_GLOBAL,
			     &(struct script_endpoint_test){
				     .id = e->id,
				     .event = event_id,
				     .project = project_id,
				     .most = ENDPOINT_TESTS_MAX,
				     .most_of_all = TESTS_OF_ALL_MAX,
			     });
	send_change(redis, &c, ENDPOINT_TESTS_REFUSAL, fn, arg);
}

const char *endpoint_test_refusal(const json_t *outcome)
{
	return json_string_value(json_object_get(outcome, "refusal"));
}

void endpoints_get_test(struct redis *redis, const char *event_id, endpoints_log_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "GET");
	command_key(&c, REDIS_GLOBAL, KEY_ENDPOINT_TEST, event_id);
	look_up_json(redis, &c, fn, arg);
}
