/* Suppression lists by request. */
#include "server/store/suppressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/store/call.h"
#include "server/store/store.h"

#define LIMIT_MS 5000

/* One change or look, which each partition has to answer. */
struct ask {
	char email[512];
	unsigned open;
	bool is_new, is_removal, was_removed;
	bool has_entry;
	json_t *json; /* what entry points into */
	struct suppression entry;
	bool has_failed;
	struct err why;
	suppression_fn *fn;
	void *arg;
};

/* Strings of *out live as long as *json. */
static int read_entry(const redisReply *r, const char *email, struct suppression *out,
		      json_t **json)
{
	const char *message, *at;

	*json = r->type == REDIS_REPLY_STRING ? json_loadb(r->str, r->len, 0, NULL) : NULL;
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
	bool is_there = a->is_removal ? a->was_removed : a->has_entry;

	if (!a->has_failed && !is_there) {
		a->has_failed = true;
		err_set(&a->why, ERR_NOT_FOUND, "the address is not on the list");
	}
	a->fn(a->has_failed || a->is_removal ? NULL : &a->entry, a->is_new,
	      a->has_failed ? &a->why : NULL, a->arg);
	json_decref(a->json);
	free(a);
}

static void on_answer(enum call_end how, const redisReply *r, const struct err *why, void *arg)
{
	struct ask *a = arg;

	if (how != CALL_ANSWERED) {
		a->has_failed = true;
		a->why = *why;
	} else if (a->is_removal && r->elements == 1) {
		a->was_removed |= r->element[0]->integer == 1;
	} else if (r->elements == 2 && !a->has_entry) {
		a->is_new = r->element[0]->integer == 1;
		a->has_entry = read_entry(r->element[1], a->email, &a->entry, &a->json) == 0;
	}
	if (--a->open == 0)
		end(a);
}

static void start_command(struct command *c, unsigned partition, const struct suppressions *list,
			  const char *what)
{
	char tenant[32];

	snprintf(tenant, sizeof(tenant), "%s:%s", list->is_test ? "test" : "live", list->project);
	command_script(c, SCRIPT_SUPPRESSION, partition);
	command_str(c, tenant);
	command_str(c, what);
}

static void ask_all(struct store *s, const struct suppressions *list, const char *what,
		    const char *email, suppression_fn *fn, void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	snprintf(a->email, sizeof(a->email), "%s", email);
	for (char *p = a->email; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	a->fn = fn;
	a->arg = arg;
	a->is_removal = strcmp(what, "remove") == 0;
	a->open = store_partitions(s);
	for (unsigned p = 0, n = a->open; p < n; p++) {
		struct command c = {0};

		start_command(&c, p, list, what);
		command_str(&c, a->email);
		if (strcmp(what, "add") == 0)
			command_str(&c, "manual");
		store_call(s, &c, 1, LIMIT_MS, on_answer, a);
	}
}

void suppressions_add(struct store *s, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg)
{
	ask_all(s, list, "add", email, fn, arg);
}

void suppressions_get(struct store *s, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg)
{
	ask_all(s, list, "get", email, fn, arg);
}

void suppressions_remove(struct store *s, const struct suppressions *list, const char *email,
			 suppression_fn *fn, void *arg)
{
	ask_all(s, list, "remove", email, fn, arg);
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
		if (read_entry(r->element[i * 2 + 1], r->element[i * 2]->str, &entries[n],
			       &kept[n]) == 0)
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

void suppressions_list(struct store *s, const struct suppressions *list,
		       const struct suppressions_place *from, size_t max, suppressions_fn *fn,
		       void *arg)
{
	struct page *p = calloc(1, sizeof(*p));
	struct command c = {0};

	if (!p)
		abort();
	p->fn = fn;
	p->arg = arg;
	start_command(&c, 0, list, "list");
	if (from->at_ms)
		command_num(&c, from->at_ms);
	else
		command_str(&c, "+inf");
	command_num(&c, (int64_t)from->skip);
	command_num(&c, (int64_t)max);
	store_call(s, &c, 1, LIMIT_MS, on_page, p);
}
