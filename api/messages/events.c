/* Events: of one message, and of the project as a log that clients poll. */
#include "api/messages/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/http/response.h"
#include "api/page.h"
#include "api/messages/render.h"
#include "server/base/json_text.h"
#include "server/events/event.h"
#include "server/store/messages/event_log.h"
#include "server/store/messages/messages.h"
#include "server/store/messages/event_cursor.h"
#include "server/redis/redis.h"

#define ENTRIES_A_LOOK 8
#define LOOKS_MAX 50

/* ---- of a message ---- */

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct event_about about = {request_param(r, 0), request_key(r)->project_id, NULL};
	json_t *data;

	if (!record) {
		response_err(r, why);
		return;
	}
	data = json_array();
	for (size_t i = 0; i < record->n_events; i++)
		json_list_add(&data, event_json(&about, record, &record->events[i]));
	page_respond(r, data, NULL);
}

void events_of_message(struct request *r)
{
	messages_get(request_api(r)->redis, request_key(r)->tenant, request_param(r, 0), on_record,
		     r);
}

/* ---- the log ---- */

struct listing {
	size_t limit;
	const char *type, *tag;
	struct event_cursor seen;
	unsigned partitions;
	unsigned looks;
	json_t *data;
};

static void listing_free(void *state)
{
	struct listing *l = state;

	json_decref(l->data);
	free(l);
}

static struct listing *listing_new(unsigned partitions)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->partitions = partitions;
	l->data = json_array();
	if (l->data)
		return l;
	listing_free(l);
	return NULL;
}

static int read_cursor(const char *text, struct listing *l, struct err *e)
{
	if (!text || event_cursor_read(text, l->partitions, &l->seen) == 0)
		return 0;
	return err_set(e, ERR_INPUT,
		       "Query parameter cursor: must be the `next_cursor` of a page or the "
		       "`cursor` of an event, unchanged");
}

static int refuse_type(struct err *e)
{
	char types[EVENT_TYPES_MAX];

	event_types(types);
	return err_set(e, ERR_INPUT, "Query parameter type: must be one of %s, or a prefix and `*`",
		       types);
}

static int read_query(const struct request *r, void *state, struct err *e)
{
	static const char *const names[] = {"type", "tag", NULL};
	struct listing *l = state;
	struct page page;

	if (page_read(r, names, &page, e) < 0 || read_cursor(page.cursor, l, e) < 0 ||
	    page_tag(r, &l->tag, e) < 0)
		return -1;
	l->limit = page.limit;
	l->type = request_query(r, "type");
	if (l->type && !event_filter_is_known(l->type))
		return refuse_type(e);
	return 0;
}

static bool is_wanted(const struct listing *l, const struct event_log_event *ev)
{
	return ev->record && (!l->type || event_filter_fits(l->type, ev->event->type)) &&
	       (!l->tag || render_has_tag(ev->record, l->tag));
}

static int show(struct request *r, struct listing *l, const struct event_log_event *ev)
{
	struct buf cursor = {0};
	struct event_about about = {ev->message, request_key(r)->project_id, NULL};
	int rc;

	event_cursor_write(&l->seen, &cursor);
	about.cursor = buf_text(&cursor);
	rc = json_array_append_new(l->data, event_json(&about, ev->record, ev->event));
	buf_deinit(&cursor);
	return rc;
}

static void finish(struct request *r, struct listing *l)
{
	struct buf cursor = {0};

	event_cursor_write(&l->seen, &cursor);
	response_json(r, 200,
		      json_pack("{s:O, s:s}", "data", l->data, "next_cursor", buf_text(&cursor)));
	buf_deinit(&cursor);
}

/* Moves the cursor after so many lines of the entry. False: they were read before. */
static bool see(struct listing *l, const struct event_log_entry *entry, unsigned lines)
{
	struct event_cursor after = event_cursor_after(entry, lines);

	return event_cursor_move(&l->seen, &after);
}

static void look(struct request *r, struct listing *l);

static void on_page(const struct event_log_page *page, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);

	if (!page) {
		response_err(r, why);
		return;
	}
	for (size_t i = 0; i < page->n_events; i++) {
		const struct event_log_event *ev = &page->events[i];

		if (!see(l, &page->entries[ev->entry], ev->line + 1) || !is_wanted(l, ev))
			continue;
		if (show(r, l, ev) < 0) {
			response_problem(r, PROBLEM_INTERNAL, NULL, "A record cannot be shown.");
			return;
		}
		if (json_array_size(l->data) == l->limit) {
			finish(r, l);
			return;
		}
	}
	for (size_t i = 0; i < page->n_entries; i++)
		see(l, &page->entries[i], page->entries[i].n_lines); /* damaged entries too */
	if (page->is_full && ++l->looks < LOOKS_MAX)
		look(r, l);
	else
		finish(r, l);
}

static void look(struct request *r, struct listing *l)
{
	struct event_log_from *from = calloc(l->partitions, sizeof(*from));

	if (!from) {
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
		return;
	}
	for (unsigned p = 0; p < l->partitions; p++)
		from[p] = event_cursor_from(&l->seen, p);
	event_log_read(request_api(r)->redis, request_key(r)->tenant, from, l->partitions,
		       ENTRIES_A_LOOK, on_page, r);
	free(from);
}

void events_list(struct request *r)
{
	struct redis *redis = request_api(r)->redis;
	struct listing *l = listing_new(redis_partitions(redis));

	if (!page_begin(r, l, listing_free, read_query))
		return;
	/* Without the events of new partitions, the cursor would pass them. */
	if (redis_time_ms(redis) <= redis_known_until_ms(redis))
		look(r, l);
	else
		response_problem(r, PROBLEM_UNAVAILABLE, NULL,
				 "Redis did not reply in time. Try again.");
}
