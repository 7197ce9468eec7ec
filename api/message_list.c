/* GET /v1/messages: messages of the project, newest first, by recipient, tag, status and time. */
#include "api/messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/page.h"
#include "api/render.h"
#include "server/base/clock.h"
#include "server/mail/address.h"
#include "server/store/list.h"

/* One request looks at the store so often; then it answers what it has, and where to go on. */
#define LOOKS_MAX 20

struct listing {
	struct page page;
	struct list_query query;
	struct address to;
	unsigned looks;
	json_t *data;
};

static void listing_free(void *state)
{
	struct listing *l = state;

	json_decref(l->data);
	free(l);
}

/* ---- cursors: "hour.partition.index" ---- */

static int read_cursor(const char *text, struct list_place *p, struct err *e)
{
	char rest;

	if (!text)
		return 0;
	if (strspn(text, "0123456789.") != strlen(text) ||
	    sscanf(text, "%8" SCNd64 ".%4u.%12" SCNd64 "%c", &p->hour, &p->partition, &p->index,
		   &rest) != 3 ||
	    p->hour == 0)
		return page_bad_cursor(e);
	return 0;
}

static void write_cursor(const struct list_place *p, char out[PAGE_CURSOR_MAX])
{
	/* -1, the end of a list, is told by a place that no list comes to. */
	snprintf(out, PAGE_CURSOR_MAX, "%" PRId64 ".%u.%" PRId64, p->hour, p->partition,
		 p->index < 0 ? INT64_C(999999999999) : p->index);
}

/* ---- what is asked for ---- */

static int read_to(const struct request *r, struct listing *l, struct err *e)
{
	const char *text = request_query(r, "to");

	if (!text)
		return 0;
	if (address_make(text, strlen(text), NULL, 0, &l->to, e) < 0)
		return err_prefix(e, "query parameter to%s",
				  strchr(text, ' ') ? " (a + is written %2B there)" : "");
	l->query.to = l->to.email;
	return 0;
}

static int read_status(const struct request *r, struct listing *l, struct err *e)
{
	const char *text = request_query(r, "status");

	if (!text)
		return 0;
	for (int s = STATE_QUEUED; s <= STATE_FAILED; s++)
		if (strcmp(text, recipient_state_name((enum recipient_state)s)) == 0)
			l->query.state = text;
	if (strcmp(text, "mixed") == 0)
		l->query.state = text;
	if (!l->query.state)
		return err_set(
			e, ERR_INPUT,
			"query parameter status: must be queued, scheduled, deferred, held, "
			"delivered, bounced, expired, canceled, suppressed, failed or mixed");
	return 0;
}

static int read_time(const struct request *r, const char *name, int64_t *ms, struct err *e)
{
	const char *text = request_query(r, name);

	if (text && (clock_parse_rfc3339(text, ms) < 0 || *ms <= 0))
		return err_set(e, ERR_INPUT,
			       "query parameter %s: must be a time like 2026-11-24T08:00:00Z (a + "
			       "is written %%2B)",
			       name);
	return 0;
}

static int read_query(const struct request *r, struct listing *l, struct err *e)
{
	static const char *const names[] = {"to", "tag", "status", "since", "until", NULL};

	l->query.project = request_key(r)->project;
	if (page_read(r, names, &l->page, e) < 0 ||
	    read_cursor(l->page.cursor, &l->query.from, e) < 0 || read_to(r, l, e) < 0 ||
	    read_status(r, l, e) < 0 || read_time(r, "since", &l->query.since_ms, e) < 0 ||
	    read_time(r, "until", &l->query.until_ms, e) < 0)
		return -1;
	l->query.tag = request_query(r, "tag");
	if (l->query.tag && (!*l->query.tag || strlen(l->query.tag) > 64))
		return err_set(e, ERR_INPUT, "query parameter tag: must have 1 to 64 characters");
	return 0;
}

/* ---- is it one of those? ---- */

static bool has_recipient(const struct record *record, const char *email)
{
	for (size_t i = 0; i < record->n_recipients; i++)
		if (strcasecmp(record->recipients[i].email, email) == 0)
			return true;
	return false;
}

/* The message's status, or that of one of its recipients. */
static bool has_status(const struct record *record, const char *status)
{
	if (strcmp(record_status(record), status) == 0)
		return true;
	for (size_t i = 0; i < record->n_recipients; i++)
		if (strcmp(recipient_state_name(record->recipients[i].state), status) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct record *record, const struct list_query *q)
{
	return strcmp(record->project, q->project) == 0 && record->accepted_ms >= q->since_ms &&
	       (!q->until_ms || record->accepted_ms < q->until_ms) &&
	       (!q->to || has_recipient(record, q->to)) &&
	       (!q->state || has_status(record, q->state)) &&
	       (!q->tag || render_has_tag(record, q->tag));
}

/* ---- a page ---- */

static void look(struct request *r, struct listing *l);

static void finish(struct request *r, struct listing *l, const struct list_place *next)
{
	char cursor[PAGE_CURSOR_MAX];

	if (next->hour >= 0)
		write_cursor(next, cursor);
	page_answer(r, json_incref(l->data), next->hour >= 0 ? cursor : NULL);
}

static void on_items(const struct list_item *items, size_t n, const struct list_place *next,
		     const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);

	if (why) {
		answer_err(r, why);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(&items[i].record, &l->query))
			continue;
		if (json_array_append_new(l->data, render_message(items[i].id, &items[i].record)) <
		    0) {
			answer_problem(r, PROBLEM_INTERNAL, NULL, "a record cannot be shown");
			return;
		}
		if (json_array_size(l->data) == l->page.limit) {
			finish(r, l, &items[i].place);
			return;
		}
	}
	l->query.from = *next;
	if (next->hour < 0 || ++l->looks == LOOKS_MAX)
		finish(r, l, next);
	else
		look(r, l);
}

static void look(struct request *r, struct listing *l)
{
	l->query.max = l->page.limit;
	list_read(request_api(r)->store, &l->query, on_items, r);
}

void messages_list(struct request *r)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct err e;

	if (!l || !(l->data = json_array())) {
		free(l);
		answer_problem(r, PROBLEM_INTERNAL, NULL, "out of memory");
		return;
	}
	request_set_state(r, l, listing_free);
	if (read_query(r, l, &e) < 0)
		answer_err(r, &e);
	else
		look(r, l);
}
