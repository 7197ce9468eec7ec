/* Suppression lists by request. */
#include "server/store/projects/suppressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/redis/call.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000
#define COPIES_MS ((int64_t)24 * 3600 * 1000) /* a copy may be on its way so long: see spread.h */

/* All partitions are asked what they have; then a change gets a time that is later than all of that
 * and goes to each of them (lua/lib/suppression.lua). */
struct ask {
	struct redis *redis;
	struct suppressions list;
	char email[512]; /* lower case */
	enum { ASK_GET, ASK_ADD, ASK_REMOVE } what;
	unsigned open;
	int64_t now_ms, gone_ms; /* the latest of all partitions */
	char *json;              /* the latest entry; NULL: there is none */
	json_t *parsed;          /* what entry points into */
	struct suppression entry;
	bool is_new, was_removed, has_failed;
	struct err why;
	suppression_fn *fn;
	void *arg;
};

/* Strings of *out live as long as *json. */
static int read_entry(const char *text, size_t len, const char *email, struct suppression *out,
		      json_t **json)
{
	const char *message, *at;

	*json = json_loadb(text, len, 0, NULL);
	if (!*json)
		return -1;
	message = json_string_value(json_object_get(*json, "message"));
	at = json_string_value(json_object_get(*json, "at"));
	*out = (struct suppression){
		.email = email,
		.reason = json_string_value(json_object_get(*json, "reason")),
		.at_ms = at ? strtoll(at, NULL, 10) : 0,
	};
	if (!out->reason)
		out->reason = "";
	snprintf(out->message, sizeof(out->message), "%s", message ? message : "");
	return 0;
}

static void end(struct ask *a)
{
	bool is_there = a->what == ASK_REMOVE ? a->was_removed : a->json != NULL;

	if (!a->has_failed && !is_there) {
		a->has_failed = true;
		err_set(&a->why, ERR_NOT_FOUND, "the address is not on the list");
	}
	a->fn(a->has_failed || a->what == ASK_REMOVE ? NULL : &a->entry, a->is_new,
	      a->has_failed ? &a->why : NULL, a->arg);
	json_decref(a->parsed);
	free(a->json);
	free(a);
}

static void start_command(struct command *c, unsigned partition, const struct suppressions *list,
			  enum script script)
{
	char tenant[32];

	snprintf(tenant, sizeof(tenant), "%s:%s", list->is_test ? "test" : "live", list->project);
	command_script(c, script, partition);
	command_str(c, tenant);
}

static void on_changed(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct ask *a = arg;

	if (how == CALL_ANSWERED) {
		a->was_removed |= r->integer == 1;
	} else {
		a->has_failed = true;
		a->why = *why;
	}
	if (--a->open == 0)
		end(a);
}

static void change_all(struct ask *a)
{
	int64_t at = a->now_ms > a->entry.at_ms ? a->now_ms : a->entry.at_ms;

	a->open = redis_partitions(a->redis);
	for (unsigned p = 0, n = a->open; p < n; p++) {
		struct command c = {0};

		start_command(&c, p, &a->list,
			      a->what == ASK_ADD ? SCRIPT_SUPPRESSION_PUT
						 : SCRIPT_SUPPRESSION_REMOVE);
		command_str(&c, a->email);
		if (a->what == ASK_ADD) {
			command_str(&c, a->json);
		} else {
			command_num(&c, at);
			command_num(&c, n > 1 ? COPIES_MS : 0);
		}
		redis_call_plain(a->redis, &c, 1, LIMIT_MS, on_changed, a);
	}
}

/* An entry that some partition has stays as it is, unless it is on its way out. */
static int make_entry(struct ask *a)
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

static void all_looked(struct ask *a)
{
	if (!a->has_failed && a->what == ASK_ADD && make_entry(a) < 0) {
		a->has_failed = true;
		err_oom(&a->why);
	}
	if (a->has_failed || a->what == ASK_GET || !a->json)
		end(a);
	else
		change_all(a);
}

static void take_look(struct ask *a, redisReply *const *r)
{
	struct suppression entry;
	json_t *parsed = NULL;

	if (r[0]->integer > a->now_ms)
		a->now_ms = r[0]->integer;
	if (r[2]->integer > a->gone_ms)
		a->gone_ms = r[2]->integer;
	if (!r[1]->len || read_entry(r[1]->str, r[1]->len, a->email, &entry, &parsed) < 0)
		return;
	if (a->json && entry.at_ms <= a->entry.at_ms) {
		json_decref(parsed);
		return;
	}
	json_decref(a->parsed);
	free(a->json);
	a->parsed = parsed;
	a->entry = entry;
	a->json = strdup(r[1]->str);
	if (!a->json)
		abort();
}

static void on_looked(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct ask *a = arg;

	if (how != CALL_ANSWERED) {
		a->has_failed = true;
		a->why = *why;
	} else if (r->type == REDIS_REPLY_ARRAY && r->elements == 3) {
		take_look(a, r->element);
	}
	if (--a->open == 0)
		all_looked(a);
}

static void look_at_all(struct redis *redis, const struct suppressions *list, int what,
			const char *email, suppression_fn *fn, void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	*a = (struct ask){.redis = redis, .list = *list, .what = what, .fn = fn, .arg = arg};
	snprintf(a->email, sizeof(a->email), "%s", email);
	for (char *p = a->email; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	a->open = redis_partitions(redis);
	for (unsigned p = 0, n = a->open; p < n; p++) {
		struct command c = {0};

		start_command(&c, p, list, SCRIPT_SUPPRESSION_LOOK);
		command_str(&c, a->email);
		redis_call_plain(redis, &c, 1, LIMIT_MS, on_looked, a);
	}
}

void suppressions_add(struct redis *redis, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg)
{
	look_at_all(redis, list, ASK_ADD, email, fn, arg);
}

void suppressions_get(struct redis *redis, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg)
{
	look_at_all(redis, list, ASK_GET, email, fn, arg);
}

void suppressions_remove(struct redis *redis, const struct suppressions *list, const char *email,
			 suppression_fn *fn, void *arg)
{
	look_at_all(redis, list, ASK_REMOVE, email, fn, arg);
}

/* ---- pages ---- */

struct page {
	suppressions_fn *fn;
	void *arg;
};

static void tell(const struct page *p, const redisReply *r)
{
	size_t most = r->elements / 2, n = 0;
	struct suppression *entries = calloc(most + 1, sizeof(*entries));
	json_t **kept = calloc(most + 1, sizeof(json_t *));

	if (!entries || !kept)
		abort();
	for (size_t i = 0; i < most; i++)
		if (r->element[i * 2 + 1]->type == REDIS_REPLY_STRING &&
		    read_entry(r->element[i * 2 + 1]->str, r->element[i * 2 + 1]->len,
			       r->element[i * 2]->str, &entries[n], &kept[n]) == 0)
			n++;
	p->fn(entries, n, NULL, p->arg);
	for (size_t i = 0; i < n; i++)
		json_decref(kept[i]);
	free(kept);
	free(entries);
}

static void on_page(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct page *p = arg;

	if (how == CALL_ANSWERED)
		tell(p, r);
	else
		p->fn(NULL, 0, why, p->arg);
	free(p);
}

void suppressions_list(struct redis *redis, const struct suppressions *list,
		       const struct suppressions_place *from, size_t max, suppressions_fn *fn,
		       void *arg)
{
	struct page *p = calloc(1, sizeof(*p));
	struct command c = {0};

	if (!p)
		abort();
	p->fn = fn;
	p->arg = arg;
	start_command(&c, 0, list, SCRIPT_SUPPRESSION_LIST);
	if (from->at_ms)
		command_num(&c, from->at_ms);
	else
		command_str(&c, "+inf");
	command_num(&c, (int64_t)from->skip);
	command_num(&c, (int64_t)max);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_page, p);
}
