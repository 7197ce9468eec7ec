/* Suppression lists by request. */
#include "server/store/projects/suppressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/projects/tenant.h"
#include "server/store/projects/stored_json.h"

#define LIMIT_MS 5000
#define COPIES_MS ((int64_t)24 * 3600 * 1000) /* how late a copy may arrive: suppression_sync.h */

/* First reads the entry in all partitions. A change then gets a time that is later than all of
 * them, and is sent to each partition (lua/lib/suppression.lua). */
struct request {
	struct redis *redis;
	char tenant[TENANT_MAX];
	char email[512]; /* lower case */
	enum { ASK_GET, ASK_ADD, ASK_REMOVE } what;
	struct call_group calls;
	int64_t now_ms, gone_ms; /* the latest of all partitions */
	int64_t entries;         /* of the longest list */
	char *json;              /* the latest entry; NULL: there is none */
	json_t *parsed;          /* what entry points into */
	struct suppression entry;
	bool is_new, was_removed;
	suppression_fn *fn;
	void *arg;
};

/* Reads the JSON of an entry, as a row (resp.h). Strings of *out live as long as *json. */
static int read_entry(const char *text, size_t len, const char *email, struct suppression *out,
		      json_t **json)
{
	int rc = stored_json_row(text, len, json);

	if (rc < 0)
		return rc;
	*out = (struct suppression){
		.email = email,
		.reason = stored_json_text(*json, "reason"),
		.at_ms = strtoll(stored_json_text(*json, "at"), NULL, 10),
	};
	stored_json_copy(*json, "message", out->message, sizeof(out->message));
	return 0;
}

static void fail_oom(struct request *a)
{
	a->calls.has_failed = true;
	err_oom(&a->calls.why);
}

static void end_request(struct request *a)
{
	bool is_there = a->what == ASK_REMOVE ? a->was_removed : a->json != NULL;

	if (!a->calls.has_failed && !is_there) {
		a->calls.has_failed = true;
		err_set(&a->calls.why, ERR_NOT_FOUND,
			"The address is not on the suppression list.");
	}
	a->fn(a->calls.has_failed || a->what == ASK_REMOVE ? NULL : &a->entry, a->is_new,
	      a->calls.has_failed ? &a->calls.why : NULL, a->arg);
	json_decref(a->parsed);
	free(a->json);
	free(a);
}

static void on_changed(const struct call_result *result, void *context)
{
	struct request *a = context;

	a->was_removed |= resp_number(result->reply) == 1;
	if (call_group_end(&a->calls, result))
		end_request(a);
}

static void change_all(struct request *a)
{
	int64_t at = a->now_ms > a->entry.at_ms ? a->now_ms : a->entry.at_ms;

	a->calls.n_open = redis_partitions(a->redis);
	for (unsigned p = 0, n = a->calls.n_open; p < n; p++) {
		struct command c = {0};

		if (a->what == ASK_ADD)
			script_suppression_put(&c, p,
					       &(struct script_suppression_put){.tenant = a->tenant,
										.address = a->email,
										.json = a->json});
		else
			script_suppression_remove(&c, p,
						  &(struct script_suppression_remove){
							  .tenant = a->tenant,
							  .address = a->email,
							  .at_ms = at,
							  .copies_ms = n > 1 ? COPIES_MS : 0,
						  });
		redis_call(a->redis, &c, 1, LIMIT_MS, CALLBACK(on_changed, a));
	}
}

/* An entry that some partition has is kept, unless it was removed later. */
static int make_entry(struct request *a)
{
	int64_t at = a->gone_ms < a->now_ms ? a->now_ms : a->gone_ms + 1;
	char text[80];

	if (a->json && a->entry.at_ms > a->gone_ms)
		return 0;
	snprintf(text, sizeof(text), "{\"reason\":\"manual\",\"at\":\"%lld\"}", (long long)at);
	json_decref(a->parsed);
	free(a->json);
	a->parsed = NULL;
	a->json = strdup(text);
	a->is_new = true;
	return a->json ? read_entry(text, strlen(text), a->email, &a->entry, &a->parsed) : -1;
}

static void refuse_excess(struct request *a)
{
	int64_t most = redis_config(a->redis)->project_suppressions;

	if (!a->is_new || a->entries < most)
		return;
	a->calls.has_failed = true;
	err_set(&a->calls.why, ERR_REFUSED,
		"The suppression list has %lld addresses; it may have at most %lld. Remove some "
		"first.",
		(long long)a->entries, (long long)most);
}

static void end_look(struct request *a)
{
	if (!a->calls.has_failed && a->what == ASK_ADD && make_entry(a) < 0)
		fail_oom(a);
	if (!a->calls.has_failed)
		refuse_excess(a);
	if (a->calls.has_failed || a->what == ASK_GET || !a->json)
		end_request(a);
	else
		change_all(a);
}

/* Keeps the latest entry of all partitions. */
static void take_look(struct request *a, const struct resp *r)
{
	const struct resp *text = resp_item(r, SUPPRESSION_LOOK_JSON);
	struct suppression entry;
	json_t *parsed = NULL;
	char *copy;

	if (resp_number_at(r, SUPPRESSION_LOOK_NOW_MS) > a->now_ms)
		a->now_ms = resp_number_at(r, SUPPRESSION_LOOK_NOW_MS);
	if (resp_number_at(r, SUPPRESSION_LOOK_ENTRIES) > a->entries)
		a->entries = resp_number_at(r, SUPPRESSION_LOOK_ENTRIES);
	if (resp_number_at(r, SUPPRESSION_LOOK_REMOVED_MS) > a->gone_ms)
		a->gone_ms = resp_number_at(r, SUPPRESSION_LOOK_REMOVED_MS);
	if (read_entry(resp_text(text), resp_len(text), a->email, &entry, &parsed) < 0)
		return;
	if (a->json && entry.at_ms <= a->entry.at_ms) {
		json_decref(parsed);
		return;
	}
	copy = strdup(resp_text(text));
	if (!copy) {
		json_decref(parsed);
		fail_oom(a);
		return;
	}
	json_decref(a->parsed);
	free(a->json);
	a->parsed = parsed;
	a->entry = entry;
	a->json = copy;
}

static void on_looked(const struct call_result *result, void *context)
{
	struct request *a = context;

	take_look(a, result->reply);
	if (call_group_end(&a->calls, result))
		end_look(a);
}

struct refused {
	suppression_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	const struct refused *r = context;

	r->fn(NULL, false, result->why, r->arg);
}

static void look_at_all(struct redis *redis, const char *tenant, int what, const char *email,
			suppression_fn *fn, void *arg)
{
	struct request *a = calloc(1, sizeof(*a));
	struct refused refused = {fn, arg};

	if (!a) {
		redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
		return;
	}
	*a = (struct request){.redis = redis, .what = what, .fn = fn, .arg = arg};
	snprintf(a->tenant, sizeof(a->tenant), "%s", tenant);
	snprintf(a->email, sizeof(a->email), "%s", email);
	for (char *p = a->email; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	a->calls.n_open = redis_partitions(redis);
	for (unsigned p = 0, n = a->calls.n_open; p < n; p++) {
		struct command c = {0};

		script_suppression_look(
			&c, p,
			&(struct script_suppression_look){.tenant = tenant, .address = a->email});
		redis_call(redis, &c, 1, LIMIT_MS, CALLBACK(on_looked, a));
	}
}

void suppressions_add(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg)
{
	look_at_all(redis, tenant, ASK_ADD, email, fn, arg);
}

void suppressions_get(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg)
{
	look_at_all(redis, tenant, ASK_GET, email, fn, arg);
}

void suppressions_remove(struct redis *redis, const char *tenant, const char *email,
			 suppression_fn *fn, void *arg)
{
	look_at_all(redis, tenant, ASK_REMOVE, email, fn, arg);
}

/* ---- pages ---- */

struct page {
	suppressions_fn *fn;
	void *arg;
};

struct row {
	struct suppression entry;
	json_t *json;
};

static int read_row(const struct resp *array, size_t at, void *out, void *context)
{
	const struct resp *json = resp_item(array, at + SUPPRESSION_LIST_ENTRY_JSON);
	struct row *row = out;

	(void)context;
	return read_entry(resp_text(json), resp_len(json),
			  resp_text(resp_item(array, at + SUPPRESSION_LIST_ENTRY_ADDRESS)),
			  &row->entry, &row->json);
}

static void drop_row(void *row)
{
	json_decref(((struct row *)row)->json);
}

static void on_page(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, SUPPRESSION_LIST_ENTRY_WORDS, sizeof(struct row),
						read_row, drop_row};
	const struct page *p = context;
	struct suppression *entries = NULL;
	struct resp_rows rows = {0};
	struct row *list;
	struct err e;

	if (resp_read_result(result, &shape, NULL, &rows, &e) == 0) {
		entries = calloc(rows.n + 1, sizeof(*entries));
		if (!entries)
			err_oom(&e);
	}
	list = rows.list;
	for (size_t i = 0; entries && i < rows.n; i++)
		entries[i] = list[i].entry;
	p->fn(entries, entries ? rows.n : 0, entries ? NULL : &e, p->arg);
	for (size_t i = 0; i < rows.n; i++)
		drop_row(&list[i]);
	free(list);
	free(entries);
}

void suppressions_list(struct redis *redis, const char *tenant,
		       const struct suppressions_place *from, size_t max, suppressions_fn *fn,
		       void *arg)
{
	struct page p = {fn, arg};
	struct command c = {0};
	char begin[24];

	snprintf(begin, sizeof(begin), "%lld", (long long)from->at_ms);
	script_suppression_list(&c, 0,
				&(struct script_suppression_list){
					.tenant = tenant,
					.from = from->at_ms ? begin : "+inf",
					.skip = (int64_t)from->skip,
					.most = (int64_t)max,
				});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_page, p));
}
