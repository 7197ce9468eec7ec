/* GET /v1/messages: messages of the project, newest first, by recipient, tag, status and time. */
#include "api/messages/message_list.h"
#include "api/http/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/page.h"
#include "api/messages/render.h"
#include "server/base/clock.h"
#include "server/mail/address.h"
#include "server/store/messages/list.h"
#include "server/redis/redis.h"

/* A request reads from the store at most so many times. Then it responds with the messages found
 * and a cursor. A read takes few messages, so that large ones do not stop the loop for long. */
#define LOOKS_MAX 80
#define LOOK_MESSAGES 25

struct listing {
	struct page page;
	struct list_query query;
	struct cursor_position *at; /* of each partition */
	unsigned partitions;        /* that this listing reads */
	struct address to;
	unsigned looks;
	json_t *data;
};

static void listing_free(void *state)
{
	struct listing *l = state;

	json_decref(l->data);
	free(l->at);
	free(l);
}

static struct listing *listing_new(unsigned partitions)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->partitions = partitions;
	l->at = calloc(partitions, sizeof(*l->at));
	l->data = json_array();
	if (l->at && l->data)
		return l;
	listing_free(l);
	return NULL;
}

/* ---- the query ---- */

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
			"Query parameter status: must be queued, scheduled, deferred, held, "
			"delivered, bounced, expired, canceled, suppressed, failed or mixed");
	return 0;
}

static int read_time(const struct request *r, const char *name, int64_t *ms, struct err *e)
{
	const char *text = request_query(r, name);

	if (text && (clock_parse_rfc3339(text, ms) < 0 || *ms <= 0))
		return err_set(
			e, ERR_INPUT,
			"Query parameter %s: must be a time like 2026-11-24T08:00:00Z (write a + "
			"as %%2B)",
			name);
	return 0;
}

static int read_cursor(const struct request *r, struct listing *l, struct err *e)
{
	struct redis *redis = request_api(r)->redis;

	if (!l->page.cursor) {
		list_begin(redis, &l->query, l->at, l->partitions);
		return 0;
	}
	l->partitions = list_cursor_read(l->page.cursor, redis_growth(redis), l->at);
	return list_is_over(l->at, l->partitions) ? page_bad_cursor(e) : 0;
}

static int read_query(const struct request *r, void *state, struct err *e)
{
	static const char *const names[] = {"to", "tag", "status", "since", "until", NULL};
	struct listing *l = state;

	l->query.project = request_key(r)->tenant;
	if (page_read(r, names, &l->page, e) < 0 || page_to(r, &l->to, &l->query.to, e) < 0 ||
	    read_status(r, l, e) < 0 || read_time(r, "since", &l->query.since_ms, e) < 0 ||
	    read_time(r, "until", &l->query.until_ms, e) < 0 || read_cursor(r, l, e) < 0)
		return -1;
	return page_tag(r, &l->query.tag, e);
}

/* ---- the filters ---- */

static bool has_recipient(const struct record *record, const char *email)
{
	for (size_t i = 0; i < record->n_recipients; i++)
		if (strcasecmp(record->recipients[i].email, email) == 0)
			return true;
	return false;
}

/* The status of the message, or of one of its recipients. */
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

static void finish(struct request *r, struct listing *l)
{
	bool is_over = list_is_over(l->at, l->partitions);
	struct buf cursor = {0};

	if (!is_over)
		list_cursor_write(l->at, l->partitions, &cursor);
	page_respond(r, json_incref(l->data), is_over ? NULL : buf_text(&cursor));
	buf_deinit(&cursor);
}

static void on_list(const struct list_page *page, const struct err *why, void *arg)
{
	struct request *r = arg;
	struct listing *l = request_state(r);

	if (!page) {
		response_err(r, why);
		return;
	}
	memcpy(l->at, page->begin, l->partitions * sizeof(*l->at));
	for (size_t i = 0; i < page->n; i++) {
		const struct list_item *item = &page->items[i];

		list_move_after(item, l->at, l->partitions);
		if (!is_wanted(&item->record, &l->query))
			continue;
		if (json_array_append_new(l->data, render_message(item->id, &item->record)) < 0) {
			response_problem(r, PROBLEM_INTERNAL, NULL, "A record cannot be shown.");
			return;
		}
		if (json_array_size(l->data) == l->page.limit) {
			finish(r, l);
			return;
		}
	}
	memcpy(l->at, page->next, l->partitions * sizeof(*l->at));
	if (list_is_over(l->at, l->partitions) || ++l->looks == LOOKS_MAX)
		finish(r, l);
	else
		look(r, l);
}

static void look(struct request *r, struct listing *l)
{
	l->query.max = l->page.limit < LOOK_MESSAGES ? l->page.limit : LOOK_MESSAGES;
	list_read(request_api(r)->redis, &l->query, l->at, l->partitions, on_list, r);
}

void message_list_get(struct request *r)
{
	struct listing *l = listing_new(redis_partitions(request_api(r)->redis));

	if (page_begin(r, l, listing_free, read_query))
		look(r, l);
}
