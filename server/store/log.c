/* Reads the logs of projects. */
#include "server/store/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/store/call.h"
#include "server/store/store.h"

#define LIMIT_MS 5000

struct reading {
	struct store *store;
	unsigned partition;
	size_t max;
	struct log_place *entries;
	size_t n_entries;
	struct log_event *events;
	size_t n_events;
	log_fn *fn;
	void *arg;
};

int log_place_compare(const struct log_place *a, const struct log_place *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static void reading_free(struct reading *r)
{
	free(r->entries);
	free(r->events);
	free(r);
}

/* ---- lines "<id> <n>\n" ---- */

static void add_line(struct reading *r, unsigned line, const char *text, size_t len)
{
	struct log_event *ev;
	void *more = list_room(r->events, r->n_events, sizeof(*r->events));

	if (!more)
		abort();
	r->events = more;
	ev = &r->events[r->n_events];
	*ev = (struct log_event){.entry = r->n_entries, .line = line};
	if (len < ID_LEN + 2 || text[ID_LEN] != ' ')
		return;
	memcpy(ev->message, text, ID_LEN);
	ev->n = (unsigned)strtoul(text + ID_LEN + 1, NULL, 10);
	r->n_events++;
}

static void add_entry(struct reading *r, const redisReply *e)
{
	const redisReply *fields = e->elements == 2 ? e->element[1] : NULL;
	const char *p, *end;
	struct log_place at;
	void *more;

	if (!fields || fields->elements != 2 || !fields->element[1]->str ||
	    sscanf(e->element[0]->str, "%" SCNd64 "-%" SCNd64, &at.ms, &at.seq) != 2)
		return;
	more = list_room(r->entries, r->n_entries, sizeof(*r->entries));
	if (!more)
		abort();
	r->entries = more;
	r->entries[r->n_entries] = at;
	p = fields->element[1]->str;
	end = p + fields->element[1]->len;
	for (unsigned line = 0; p < end; line++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (!stop)
			break;
		add_line(r, line, p, (size_t)(stop - p));
		p = stop + 1;
	}
	r->n_entries++;
}

/* ---- the records that they name ---- */

static const struct record_event *find_event(const struct record *record, unsigned n)
{
	for (size_t i = 0; i < record->n_events; i++)
		if (record->events[i].n == n)
			return &record->events[i];
	return NULL;
}

static void tell(struct reading *r, const redisReply *reply)
{
	struct record *records = calloc(r->n_events + 1, sizeof(*records));
	struct log_page page = {r->entries, r->n_entries, r->events, r->n_events,
				r->n_entries == r->max};
	size_t n = 0;
	struct err e;

	if (!records)
		abort();
	/* The same message twice in a row is asked for once: see ask_records. */
	for (size_t i = 0, k = 0; i < r->n_events; i++) {
		struct log_event *ev = &r->events[i];
		const redisReply *text;

		if (i > 0 && strcmp(ev->message, r->events[i - 1].message) == 0) {
			ev->record = r->events[i - 1].record;
		} else {
			text = reply && k < reply->elements ? reply->element[k] : NULL;
			k++;
			if (text && text->type == REDIS_REPLY_STRING &&
			    record_parse(text->str, text->len, &records[n], &e) == 0)
				ev->record = &records[n++];
		}
		ev->event = ev->record ? find_event(ev->record, ev->n) : NULL;
		if (!ev->event)
			ev->record = NULL;
	}
	r->fn(&page, NULL, r->arg);
	for (size_t i = 0; i < n; i++)
		record_deinit(&records[i]);
	free(records);
	reading_free(r);
}

static void on_records(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct reading *r = arg;

	if (end == CALL_ANSWERED) {
		tell(r, reply);
	} else {
		r->fn(NULL, why, r->arg);
		reading_free(r);
	}
}

static void ask_records(struct reading *r)
{
	struct command c = {0};

	command_start(&c, "MGET");
	for (size_t i = 0; i < r->n_events; i++)
		if (i == 0 || strcmp(r->events[i].message, r->events[i - 1].message) != 0)
			command_key(&c, r->partition, "m:%s", r->events[i].message);
	store_call(r->store, &c, 1, LIMIT_MS, on_records, r);
}

static void on_entries(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct reading *r = arg;

	if (end != CALL_ANSWERED) {
		r->fn(NULL, why, r->arg);
		reading_free(r);
		return;
	}
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
		add_entry(r, reply->element[i]);
	if (r->n_events)
		ask_records(r);
	else
		tell(r, NULL);
}

void log_read(struct store *s, const char *project, unsigned partition,
	      const struct log_place *from, bool is_after, size_t max, log_fn *fn, void *arg)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct command c = {0};
	char start[64];

	if (!r)
		abort();
	r->store = s;
	r->partition = partition;
	r->max = max;
	r->fn = fn;
	r->arg = arg;
	snprintf(start, sizeof(start), "%s%" PRId64 "-%" PRId64, is_after ? "(" : "", from->ms,
		 from->seq);
	command_start(&c, "XRANGE");
	command_key(&c, partition, "ev:%s", project);
	command_str(&c, start);
	command_str(&c, "+");
	command_str(&c, "COUNT");
	command_num(&c, (int64_t)max);
	store_call(s, &c, 1, LIMIT_MS, on_entries, r);
}
