/* Events: of one message, and of the project as a log to read on and on. */
#include "api/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/page.h"
#include "api/render.h"
#include "server/hooks/event.h"
#include "server/store/log.h"
#include "server/store/messages.h"
#include "server/store/store.h"

#define ENTRIES_A_LOOK 8
#define LOOKS_MAX 50

/* ---- of a message ---- */

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct event_about about = {request_param(r, 0), request_key(r)->project_id, NULL};
	json_t *data;

	if (!record) {
		answer_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; data && i < record->n_events; i++) {
		if (json_array_append_new(data, event_json(&about, record, &record->events[i])) <
		    0) {
			json_decref(data);
			data = NULL;
		}
	}
	if (data)
		answer_json(r, 200, json_pack("{s:o}", "data", data));
	else
		answer_problem(r, PROBLEM_INTERNAL, NULL, "the record cannot be shown");
}

void events_of_message(struct request *r)
{
	messages_get(request_api(r)->store, request_key(r)->project, request_param(r, 0), on_record,
		     r);
}

/* ---- the log ---- */

struct listing {
	size_t limit;
	const char *type, *tag;
	struct log_place at; /* read on from here; lines of its entry up to `line` were seen */
	int64_t line;        /* -1: none of them */
	unsigned looks;
	json_t *data;
};

static void listing_free(void *state)
{
	struct listing *l = state;

	json_decref(l->data);
	free(l);
}

static void write_cursor(const struct log_place *at, int64_t line, char out[PAGE_CURSOR_MAX])
{
	/* line -1, none seen yet, is written as 0, so that all numbers are without a sign */
	snprintf(out, PAGE_CURSOR_MAX, "%" PRId64 ".%" PRId64 ".%" PRId64, at->ms, at->seq,
		 line + 1);
}

static int read_after(const struct request *r, struct listing *l, struct err *e)
{
	const char *text = request_query(r, "after");
	char rest;

	l->line = -1;
	if (!text)
		return 0;
	if (strspn(text, "0123456789.") != strlen(text) ||
	    sscanf(text, "%16" SCNd64 ".%12" SCNd64 ".%9" SCNd64 "%c", &l->at.ms, &l->at.seq,
		   &l->line, &rest) != 3)
		return err_set(e, ERR_INPUT,
			       "query parameter after: give `next_cursor` of the page before, or "
			       "the `cursor` of an event, as it is");
	l->line--;
	return 0;
}

static int read_query(const struct request *r, struct listing *l, struct err *e)
{
	static const char *const names[] = {"after", "type", "tag", NULL};
	struct page page;

	if (page_read(r, names, &page, e) < 0 || read_after(r, l, e) < 0)
		return -1;
	if (page.cursor)
		return err_set(e, ERR_INPUT, "query parameter cursor: is called `after` here");
	l->limit = page.limit;
	l->tag = request_query(r, "tag");
	l->type = request_query(r, "type");
	if (l->type && !event_filter_is_known(l->type))
		return err_set(e, ERR_INPUT,
			       "query parameter type: must be a type of event, or the beginning of "
			       "one and a *");
	return 0;
}

static bool is_wanted(const struct listing *l, const struct log_event *ev)
{
	return ev->record && (!l->type || event_filter_fits(l->type, ev->event->type)) &&
	       (!l->tag || render_has_tag(ev->record, l->tag));
}

static int show(struct request *r, struct listing *l, const struct log_event *ev)
{
	char cursor[PAGE_CURSOR_MAX];
	struct event_about about = {ev->message, request_key(r)->project_id, cursor};

	write_cursor(&l->at, l->line, cursor);
	return json_array_append_new(l->data, event_json(&about, ev->record, ev->event));
}

static void finish(struct request *r, struct listing *l)
{
	char cursor[PAGE_CURSOR_MAX];

	write_cursor(&l->at, l->line, cursor);
	answer_json(r, 200, json_pack("{s:O, s:s}", "data", l->data, "next_cursor", cursor));
}

static void look(struct request *r, struct listing *l);

static void on_page(const struct log_page *page, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);
	struct log_place from = l->at;
	int64_t seen = l->line;

	if (!page) {
		answer_err(r, why);
		return;
	}
	for (size_t i = 0; i < page->n_events; i++) {
		const struct log_event *ev = &page->events[i];
		const struct log_place *at = &page->entries[ev->entry];

		if (log_place_compare(at, &from) == 0 && ev->line <= seen)
			continue;
		l->at = *at;
		l->line = ev->line;
		if (!is_wanted(l, ev))
			continue;
		if (show(r, l, ev) < 0) {
			answer_problem(r, PROBLEM_INTERNAL, NULL, "a record cannot be shown");
			return;
		}
		if (json_array_size(l->data) == l->limit) {
			finish(r, l);
			return;
		}
	}
	if (page->is_full && ++l->looks < LOOKS_MAX)
		look(r, l);
	else
		finish(r, l);
}

static void look(struct request *r, struct listing *l)
{
	log_read(request_api(r)->store, request_key(r)->project, 0, &l->at, false, ENTRIES_A_LOOK,
		 on_page, r);
}

void events_list(struct request *r)
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
