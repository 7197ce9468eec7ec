/* Reads the logs of projects: what the partitions have, by time, and then the records of it. */
#include "server/store/messages/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/redis/call.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct reading;

/* One partition's part of it. */
struct part {
	struct reading *reading;
	unsigned partition;
};

struct reading {
	struct redis *redis;
	size_t max;
	struct part *parts;
	unsigned n_parts, open;
	bool is_full, has_failed;
	struct err why;
	struct event_log_entry *entries;
	size_t n_entries;
	struct event_log_event *events;
	size_t n_events;
	struct record *records;
	size_t n_records;
	event_log_fn *fn;
	void *arg;
};

int event_log_place_compare(const struct event_log_place *a, const struct event_log_place *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static void end(struct reading *r)
{
	struct event_log_page page = {r->entries, r->n_entries, r->events, r->n_events, r->is_full};

	r->fn(r->has_failed ? NULL : &page, r->has_failed ? &r->why : NULL, r->arg);
	for (size_t i = 0; i < r->n_records; i++)
		record_deinit(&r->records[i]);
	free(r->records);
	free(r->entries);
	free(r->events);
	free(r->parts);
	free(r);
}

/* An answer came; is it the last one? */
static bool is_last(struct reading *r, enum call_end end_of_call, const struct err *why)
{
	if (end_of_call != CALL_ANSWERED) {
		r->has_failed = true;
		r->why = *why;
	}
	return --r->open == 0;
}

/* ---- lines "<id> <n>\n" ---- */

static void add_line(struct reading *r, unsigned line, const char *text, size_t len)
{
	struct event_log_event *ev;
	void *more = list_room(r->events, r->n_events, sizeof(*r->events));

	if (!more)
		abort();
	r->events = more;
	ev = &r->events[r->n_events];
	*ev = (struct event_log_event){.entry = r->n_entries, .line = line};
	if (len < ID_LEN + 2 || text[ID_LEN] != ' ')
		return;
	memcpy(ev->message, text, ID_LEN);
	ev->n = (unsigned)strtoul(text + ID_LEN + 1, NULL, 10);
	r->n_events++;
}

static void add_entry(struct reading *r, unsigned partition, const redisReply *e)
{
	const redisReply *fields = e->elements == 2 ? e->element[1] : NULL;
	struct event_log_entry entry = {.partition = partition};
	const char *p, *end_of_text, *stop;
	void *more;

	if (!fields || fields->elements != 2 || !fields->element[1]->str ||
	    sscanf(e->element[0]->str, "%" SCNd64 "-%" SCNd64, &entry.at.ms, &entry.at.seq) != 2)
		return;
	more = list_room(r->entries, r->n_entries, sizeof(*r->entries));
	if (!more)
		abort();
	r->entries = more;
	p = fields->element[1]->str;
	end_of_text = p + fields->element[1]->len;
	for (; p < end_of_text && (stop = memchr(p, '\n', (size_t)(end_of_text - p))); p = stop + 1)
		add_line(r, entry.n_lines++, p, (size_t)(stop - p));
	r->entries[r->n_entries++] = entry;
}

/* ---- the entries of all partitions, by time ---- */

struct order {
	struct event_log_entry entry;
	size_t first, n; /* its events */
};

static int by_time(const void *left, const void *right)
{
	const struct order *a = left, *b = right;
	int way = event_log_place_compare(&a->entry.at, &b->entry.at);

	return way ? way
		   : (a->entry.partition > b->entry.partition) -
			       (a->entry.partition < b->entry.partition);
}

/* A partition that gave `max` entries may have more behind them, but none of those is among the
 * first `max` of all. */
static void merge(struct reading *r)
{
	struct order *all = calloc(r->n_entries + 1, sizeof(*all));
	struct event_log_event *events = calloc(r->n_events + 1, sizeof(*events));
	size_t n = 0;

	if (!all || !events)
		abort();
	for (size_t i = 0, k = 0; i < r->n_entries; i++) {
		all[i] = (struct order){.entry = r->entries[i], .first = k};
		for (; k < r->n_events && r->events[k].entry == i; k++)
			all[i].n++;
	}
	qsort(all, r->n_entries, sizeof(*all), by_time);
	if (r->n_entries > r->max) {
		r->n_entries = r->max;
		r->is_full = true;
	}
	for (size_t i = 0; i < r->n_entries; i++) {
		r->entries[i] = all[i].entry;
		for (size_t k = 0; k < all[i].n; k++) {
			events[n] = r->events[all[i].first + k];
			events[n++].entry = i;
		}
	}
	free(r->events);
	free(all);
	r->events = events;
	r->n_events = n;
}

/* ---- the records that they name ---- */

static bool is_in(const struct reading *r, const struct event_log_event *ev, const struct part *p)
{
	return r->entries[ev->entry].partition == p->partition;
}

static const struct record *read_record(struct reading *r, const redisReply *text)
{
	struct err e;

	if (text->type != REDIS_REPLY_STRING ||
	    record_parse(text->str, text->len, &r->records[r->n_records], &e) < 0)
		return NULL;
	return &r->records[r->n_records++];
}

static void take_records(struct part *p, const redisReply *reply)
{
	struct reading *r = p->reading;
	const struct event_log_event *last = NULL;
	size_t k = 0;

	/* The same message twice in a row was asked for once: see ask_records. */
	for (size_t i = 0; i < r->n_events; i++) {
		struct event_log_event *ev = &r->events[i];
		const struct record *record;

		if (!is_in(r, ev, p))
			continue;
		if (last && strcmp(ev->message, last->message) == 0)
			record = last->record;
		else
			record = k < reply->elements ? read_record(r, reply->element[k++]) : NULL;
		ev->record = record;
		last = ev;
	}
}

static void finish(struct reading *r)
{
	for (size_t i = 0; i < r->n_events; i++) {
		struct event_log_event *ev = &r->events[i];

		ev->event = ev->record ? record_find_event(ev->record, ev->n) : NULL;
		if (!ev->event)
			ev->record = NULL;
	}
	end(r);
}

static void on_records(enum call_end how, const redisReply *reply, const struct err *why, void *arg)
{
	struct part *p = arg;

	if (how == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY)
		take_records(p, reply);
	if (is_last(p->reading, how, why))
		finish(p->reading);
}

static void ask_records(struct part *p)
{
	struct reading *r = p->reading;
	const char *last = "";
	struct command c = {0};
	size_t n = 0;

	command_start(&c, "MGET");
	for (size_t i = 0; i < r->n_events; i++) {
		if (!is_in(r, &r->events[i], p) || strcmp(r->events[i].message, last) == 0)
			continue;
		last = r->events[i].message;
		command_key(&c, p->partition, "m:%s", last);
		n++;
	}
	if (n == 0) {
		command_deinit(&c);
		return;
	}
	r->open++;
	redis_call_plain(r->redis, &c, 1, LIMIT_MS, on_records, p);
}

/* ---- reading ---- */

static void on_entries(enum call_end how, const redisReply *reply, const struct err *why, void *arg)
{
	struct part *p = arg;
	struct reading *r = p->reading;

	if (how == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY) {
		r->is_full |= reply->elements == r->max;
		for (size_t i = 0; i < reply->elements; i++)
			add_entry(r, p->partition, reply->element[i]);
	}
	if (!is_last(r, how, why))
		return;
	if (!r->has_failed) {
		merge(r);
		r->records = calloc(r->n_events + 1, sizeof(*r->records));
		if (!r->records)
			abort();
		for (unsigned i = 0; i < r->n_parts; i++)
			ask_records(&r->parts[i]);
	}
	if (r->open == 0)
		end(r);
}

static void ask_entries(struct part *p, const char *project, const struct event_log_from *from)
{
	struct command c = {0};
	char start[64];

	snprintf(start, sizeof(start), "%s%" PRId64 "-%" PRId64, from->is_after ? "(" : "",
		 from->at.ms, from->at.seq);
	command_start(&c, "XRANGE");
	command_key(&c, p->partition, "ev:%s", project);
	command_str(&c, start);
	command_str(&c, "+");
	command_str(&c, "COUNT");
	command_num(&c, (int64_t)p->reading->max);
	redis_call_plain(p->reading->redis, &c, 1, LIMIT_MS, on_entries, p);
}

void event_log_read(struct redis *redis, const char *project, const struct event_log_from *from,
		    unsigned n, size_t max, event_log_fn *fn, void *arg)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (!r || !(r->parts = calloc(n, sizeof(*r->parts))))
		abort();
	r->redis = redis;
	r->max = max;
	r->fn = fn;
	r->arg = arg;
	r->n_parts = r->open = n;
	for (unsigned i = 0; i < n; i++) {
		r->parts[i] = (struct part){.reading = r, .partition = from[i].partition};
		ask_entries(&r->parts[i], project, &from[i]);
	}
}

/* ---- what is gone ---- */

struct cutting {
	event_log_cut_fn *fn;
	void *arg;
};

static void on_cut(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct cutting *c = arg;
	struct event_log_place at = {0};

	if (end == CALL_ANSWERED && r->type == REDIS_REPLY_STRING &&
	    sscanf(r->str, "%" SCNd64 "-%" SCNd64, &at.ms, &at.seq) != 2)
		at = (struct event_log_place){0};
	c->fn(&at, end == CALL_ANSWERED ? NULL : why, c->arg);
	free(c);
}

void event_log_cut(struct redis *redis, const char *project, unsigned partition,
		   event_log_cut_fn *fn, void *arg)
{
	struct cutting *cutting = calloc(1, sizeof(*cutting));
	struct command c = {0};

	if (!cutting)
		abort();
	*cutting = (struct cutting){fn, arg};
	command_start(&c, "HGET");
	command_key(&c, partition, "cut");
	command_str(&c, project);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_cut, cutting);
}
