/* Webhook endpoints in the store. */
#include "server/store/projects/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/call.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

void endpoint_seal_name(const char *id, char out[64])
{
	snprintf(out, 64, "webhook %s", id);
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

int endpoint_parse(const char *id, const char *project, const char *text, size_t len,
		   struct endpoint *out)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	struct endpoint e = {.json = json};

	if (!json)
		return -1;
	e.text = strndup(text, len);
	snprintf(e.id, sizeof(e.id), "%s", id);
	snprintf(e.project, sizeof(e.project), "%s", project);
	e.url = text_of(json, "url");
	e.description = text_of(json, "description");
	e.events = json_object_get(json, "events");
	e.secret = text_of(json, "secret");
	e.old_secret = json_string_value(json_object_get(json, "old_secret"));
	e.old_until_ms = json_integer_value(json_object_get(json, "old_until"));
	e.is_enabled = json_is_true(json_object_get(json, "enabled"));
	e.disabled_reason = text_of(json, "disabled_reason");
	e.lost_from_ms = json_integer_value(json_object_get(json, "lost_from"));
	e.lost_until_ms = json_integer_value(json_object_get(json, "lost_until"));
	e.created_ms = json_integer_value(json_object_get(json, "created"));
	if (!e.text || !*e.url || !*e.secret || !json_is_array(e.events)) {
		endpoint_deinit(&e);
		return -1;
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
	json_t *json =
		json_pack("{s:s, s:s, s:O, s:s, s:s*, s:I, s:b, s:s, s:I, s:I, s:I}", "url", e->url,
			  "description", e->description, "events", e->events, "secret", e->secret,
			  "old_secret", e->old_secret, "old_until", (json_int_t)e->old_until_ms,
			  "enabled", e->is_enabled, "disabled_reason", e->disabled_reason,
			  "created", (json_int_t)e->created_ms, "lost_from",
			  (json_int_t)e->lost_from_ms, "lost_until", (json_int_t)e->lost_until_ms);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

/* ---- reading ---- */

struct asked {
	char project[12];
	char id[ID_LEN + 1]; /* "": all of the project */
	endpoints_fn *fn;
	void *arg;
};

static int by_age(const void *a, const void *b)
{
	return strcmp(((const struct endpoint *)a)->id, ((const struct endpoint *)b)->id);
}

static void tell(const struct asked *a, const redisReply *r)
{
	size_t most = r->type == REDIS_REPLY_ARRAY ? r->elements / 2 : 1, n = 0;
	struct endpoint *list = calloc(most + 1, sizeof(*list));
	struct err why = {0};

	if (!list)
		abort();
	if (r->type == REDIS_REPLY_STRING &&
	    endpoint_parse(a->id, a->project, r->str, r->len, list) == 0)
		n = 1;
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < most; i++)
		if (endpoint_parse(r->element[i * 2]->str, a->project, r->element[i * 2 + 1]->str,
				   r->element[i * 2 + 1]->len, &list[n]) == 0)
			n++;
	qsort(list, n, sizeof(*list), by_age);
	if (*a->id && n == 0)
		err_set(&why, ERR_NOT_FOUND, "there is no such webhook");
	a->fn(list, n, why.kind ? &why : NULL, a->arg);
	for (size_t i = 0; i < n; i++)
		endpoint_deinit(&list[i]);
	free(list);
}

static void on_read(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct asked *a = arg;

	if (end == CALL_ANSWERED)
		tell(a, reply);
	else
		a->fn(NULL, 0, why, a->arg);
	free(a);
}

static void ask(struct redis *redis, const char *project, const char *id, endpoints_fn *fn,
		void *arg)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct command c = {0};

	if (!a)
		abort();
	a->fn = fn;
	a->arg = arg;
	snprintf(a->project, sizeof(a->project), "%s", project);
	snprintf(a->id, sizeof(a->id), "%s", id);
	command_start(&c, *id ? "HGET" : "HGETALL");
	command_key(&c, REDIS_GLOBAL, "hook:%s", project);
	if (*id)
		command_str(&c, id);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_read, a);
}

void endpoints_list(struct redis *redis, const char *project, endpoints_fn *fn, void *arg)
{
	ask(redis, project, "", fn, arg);
}

void endpoints_get(struct redis *redis, const char *project, const char *id, endpoints_fn *fn,
		   void *arg)
{
	ask(redis, project, id, fn, arg);
}

/* ---- changing ---- */

struct change {
	const char *refusal; /* what a number below 0 says */
	endpoints_done_fn *fn;
	void *arg;
};

static void on_changed(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct change *c = arg;
	struct err refusal = {0};

	if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
		err_set(&refusal, ERR_NOT_FOUND, "there is no such webhook");
	else if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_INTEGER && reply->integer < 0)
		err_set(&refusal, ERR_REFUSED, "%s", c->refusal);
	c->fn(end != CALL_ANSWERED ? why : refusal.kind ? &refusal : NULL, c->arg);
	free(c);
}

static void send_change(struct redis *redis, struct command *c, const char *refusal,
			endpoints_done_fn *fn, void *arg)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change)
		abort();
	change->refusal = refusal;
	change->fn = fn;
	change->arg = arg;
	redis_call_plain(redis, c, 1, LIMIT_MS, on_changed, change);
}

static void start_change(struct command *c, enum script script, const char *project, const char *id)
{
	command_script(c, script, REDIS_GLOBAL);
	command_str(c, project);
	command_str(c, id);
}

void endpoints_put(struct redis *redis, const struct endpoint *e, const struct endpoint *before,
		   endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};
	char *text = write_text(e);

	if (!text)
		abort();
	start_change(&c, SCRIPT_ENDPOINT_PUT, e->project, e->id);
	command_str(&c, before ? before->text : "");
	command_str(&c, text);
	command_num(&c, ENDPOINTS_MAX);
	free(text);
	send_change(redis, &c, "a project has at most " TEXT(ENDPOINTS_MAX) " webhooks", fn, arg);
}

void endpoints_delete(struct redis *redis, const char *project, const char *id,
		      endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};

	start_change(&c, SCRIPT_ENDPOINT_DELETE, project, id);
	send_change(redis, &c, "", fn, arg);
}

void endpoints_redeliver(struct redis *redis, const char *project, const char *id,
			 const char *message, unsigned n, endpoints_done_fn *fn, void *arg)
{
	struct command c = {0};
	char event[ID_LEN + 16];

	snprintf(event, sizeof(event), "%s %u", message, n);
	start_change(&c, SCRIPT_ENDPOINT_REDELIVER, project, id);
	command_str(&c, event);
	send_change(redis, &c, "the webhook is disabled: enable it first", fn, arg);
}

/* ---- deliveries and tests ---- */

struct look {
	endpoints_log_fn *fn;
	void *arg;
};

static void on_log(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct look *l = arg;
	json_t *list = NULL;

	if (end != CALL_ANSWERED) {
		l->fn(NULL, why, l->arg);
		free(l);
		return;
	}
	if (r->type == REDIS_REPLY_ARRAY && (list = json_array()))
		for (size_t i = 0; i < r->elements; i++)
			json_array_append_new(
				list, json_loadb(r->element[i]->str, r->element[i]->len, 0, NULL));
	else if (r->type == REDIS_REPLY_STRING)
		list = json_loadb(r->str, r->len, 0, NULL);
	l->fn(list, NULL, l->arg);
	json_decref(list);
	free(l);
}

static void send_look(struct redis *redis, struct command *c, endpoints_log_fn *fn, void *arg)
{
	struct look *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->fn = fn;
	l->arg = arg;
	redis_call_plain(redis, c, 1, LIMIT_MS, on_log, l);
}

void endpoints_deliveries(struct redis *redis, const char *id, bool failed_only,
			  endpoints_log_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "LRANGE");
	command_key(&c, REDIS_GLOBAL, "%s:%s", failed_only ? "hf" : "hd", id);
	command_num(&c, 0);
	command_num(&c, -1); /* lua/deliveries_report.lua keeps 100 */
	send_look(redis, &c, fn, arg);
}

static void on_asked(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct change *c = arg;

	(void)reply;
	c->fn(end == CALL_ANSWERED ? NULL : why, c->arg);
	free(c);
}

void endpoints_ask_test(struct redis *redis, const struct endpoint *e, const char *event_id,
			const char *project_id, endpoints_done_fn *fn, void *arg)
{
	struct change *change = calloc(1, sizeof(*change));
	struct command c = {0};
	char text[128];

	if (!change)
		abort();
	change->fn = fn;
	change->arg = arg;
	snprintf(text, sizeof(text), "%s %s %s", e->id, event_id, project_id);
	command_start(&c, "RPUSH");
	command_key(&c, REDIS_GLOBAL, "ht");
	command_str(&c, text);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_asked, change);
}

void endpoints_get_test(struct redis *redis, const char *event_id, endpoints_log_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "GET");
	command_key(&c, REDIS_GLOBAL, "htr:%s", event_id);
	send_look(redis, &c, fn, arg);
}
