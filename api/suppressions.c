/* The suppression list of a project. */
#include "api/suppressions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/body.h"
#include "server/base/json_text.h"
#include "api/once.h"
#include "api/page.h"
#include "api/messages/render.h"
#include "server/mail/address.h"
#include "server/store/projects/suppressions.h"

static const char *tenant_of(const struct request *r)
{
	return request_key(r)->tenant;
}

static json_t *entry_json(const struct suppression *s)
{
	return json_pack("{s:o, s:s, s:o, s:s*}", "email", json_text(s->email, strlen(s->email)),
			 "reason", s->reason, "created_at", render_time(s->at_ms), "message_id",
			 *s->message ? s->message : NULL);
}

/* ---- one address ---- */

static void respond_entry(struct request *r, unsigned status, const struct suppression *entry)
{
	json_t *body = entry_json(entry);

	if (body)
		response_json(r, status, body);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
}

static void on_entry(const struct suppression *entry, bool is_new, const struct err *why, void *arg)
{
	if (entry)
		respond_entry(arg, is_new ? 201 : 200, entry);
	else if (why->kind == ERR_REFUSED)
		response_problem(arg, PROBLEM_CONFLICT, NULL, "%s", why->text);
	else
		response_err(arg, why);
}

static void on_removed(const struct suppression *entry, bool is_new, const struct err *why,
		       void *arg)
{
	(void)entry;
	(void)is_new;
	response_no_content(why, arg);
}

struct body {
	struct address email;
};

static int take_email(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	return address_make(v->text, v->len, NULL, 0, at, e);
}

static const struct rule rules[] = {
	{.field = "email",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 1,
	 .at = offsetof(struct body, email),
	 .take = take_email},
};

static void make_suppression(struct request *r, const struct once_seed *seed)
{
	struct body body = {0};
	json_t *json = NULL;

	(void)seed; /* an address is on the list once */
	if (body_read(r, rules, sizeof(rules) / sizeof(*rules), &body, &json) < 0)
		return;
	suppressions_add(request_api(r)->redis, tenant_of(r), body.email.email, on_entry, r);
	json_decref(json);
}

void suppressions_post(struct request *r)
{
	once_run(r, false, make_suppression);
}

/* The address in the path. Text that is not an address gets 404. */
static int read_address(struct request *r, struct address *out)
{
	const char *text = request_param(r, 0);
	struct err e;

	if (address_make(text, strlen(text), NULL, 0, out, &e) == 0)
		return 0;
	response_problem(r, PROBLEM_NOT_FOUND, NULL, "The address is not on the suppression list.");
	return -1;
}

void suppressions_show(struct request *r)
{
	struct address address;

	if (read_address(r, &address) == 0)
		suppressions_get(request_api(r)->redis, tenant_of(r), address.email, on_entry, r);
}

void suppressions_delete(struct request *r)
{
	struct address address;

	if (read_address(r, &address) == 0)
		suppressions_remove(request_api(r)->redis, tenant_of(r), address.email, on_removed,
				    r);
}

/* ---- the list ---- */

struct listing {
	struct page page;
	struct suppressions_place from;
};

static void on_list(const struct suppression *entries, size_t n, const struct err *why, void *arg)
{
	struct request *r = arg;
	const struct listing *l = request_state(r);
	struct suppressions_place next = l->from;
	char cursor[PAGE_CURSOR_MAX];
	json_t *data = json_array();

	if (why) {
		json_decref(data);
		response_err(r, why);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		json_list_add(&data, entry_json(&entries[i]));
		next.skip = entries[i].at_ms == next.at_ms ? next.skip + 1 : 1;
		next.at_ms = entries[i].at_ms;
	}
	snprintf(cursor, sizeof(cursor), "%" PRId64 ".%zu", next.at_ms, next.skip);
	page_respond(r, data, n == l->page.limit ? cursor : NULL);
}

static int read_list(const struct request *r, void *state, struct err *e)
{
	static const char *const names[] = {NULL};
	struct listing *l = state;
	char rest;

	if (page_read(r, names, &l->page, e) < 0)
		return -1;
	if (l->page.cursor && (strspn(l->page.cursor, "0123456789.") != strlen(l->page.cursor) ||
			       sscanf(l->page.cursor, "%16" SCNd64 ".%9zu%c", &l->from.at_ms,
				      &l->from.skip, &rest) != 2))
		return page_bad_cursor(e);
	return 0;
}

void suppressions_list_get(struct request *r)
{
	const struct listing *l = page_begin(r, calloc(1, sizeof(*l)), free, read_list);

	if (l)
		suppressions_list(request_api(r)->redis, tenant_of(r), &l->from, l->page.limit,
				  on_list, r);
}
