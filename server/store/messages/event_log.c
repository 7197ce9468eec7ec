/* Reads the logs of projects: entries of all partitions by time, then the records they name. */
#include "server/store/messages/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct reading;

/* One partition's part of it. */
struct part {
	struct reading *reading;
	unsigned partition;
	struct event_log_from from;
};

struct reading {
	struct redis *redis;
	char project[12];
	size_t max;
	int64_t now_ms;                   /* by the clock of Redis */
	char until[EVENT_LOG_PLACE_TEXT]; /* the last place to read */
	struct call_group calls;
	bool is_full;
	struct event_log_entry *entries;
	size_t n_entries;
	struct event_log_event *events;
	size_t n_events;
	struct record *records;
	size_t n_records;
	event_log_fn *fn;
	void *arg;
	unsigned n_parts;
	struct part parts[];
};

static void end_reading(struct reading *r)
{
	struct event_log_page page = {r->entries, r->n_entries, r->events, r->n_events, r->is_full};

	if (r->calls.has_failed)
		r->fn(NULL, &r->calls.why, r->arg);
	else
		r->fn(&page, NULL, r->arg);
	for (size_t i = 0; i < r->n_records; i++)
		record_deinit(&r->records[i]);
	free(r->records);
	free(r->entries);
	free(r->events);
	free(r);
}

static void fail_oom(struct reading *r)
{
	r->calls.has_failed = true;
	err_oom(&r->calls.why);
}

/* ---- lines "<id> <n>\n" ---- */

static void add_line(struct reading *r, unsigned line, const char *text, size_t len)
{
	struct event_log_event *ev;
	void *more = list_room(r->events, r->n_events, sizeof(*r->events));

	if (!more) {
		fail_oom(r);
		return;
	}
	r->events = more;
	ev = &r->events[r->n_events];
	*ev = (struct event_log_event){.entry = r->n_entries, .line = line};
	if (len < ID_LEN + 2 || text[ID_LEN] != ' ')
		return;
	memcpy(ev->message, text, ID_LEN);
	ev->n = (unsigned)strtoul(text + ID_LEN + 1, NULL, 10);
	r->n_events++;
}

static void add_lines(struct reading *r, struct event_log_entry *entry, const char *text,
		      size_t len)
{
	const char *end = text + len, *stop;

	for (; text < end && (stop = memchr(text, '\n', (size_t)(end - text))); text = stop + 1)
		add_line(r, entry->n_lines++, text, (size_t)(stop - text));
}

/* {place, {field, lines}} */
static void add_entry(struct reading *r, unsigned partition, const struct resp *e)
{
	const struct resp *lines = resp_item(resp_item(e, 1), 1);
	struct event_log_entry entry = {.partition = partition};
	void *more;

	if (!resp_is_text(lines) || event_log_place_read(resp_text(resp_item(e, 0)), &entry.at) < 0)
		return;
	more = list_room(r->entries, r->n_entries, sizeof(*r->entries));
	if (!more) {
		fail_oom(r);
		return;
	}
	r->entries = more;
	add_lines(r, &entry, resp_text(lines), resp_len(lines));
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

	return way ? way : (int)a->entry.partition - (int)b->entry.partition;
}

/* Merges the entries. A partition that returned `max` entries may have more, but the first `max` of
 * all partitions are read. */
static void sort_entries(struct reading *r, struct order *all, struct event_log_event *events)
{
	size_t n = 0;

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
	r->n_events = n;
}

static void merge(struct reading *r)
{
	struct order *all = calloc(r->n_entries + 1, sizeof(*all));
	struct event_log_event *events = calloc(r->n_events + 1, sizeof(*events));

	r->records = calloc(r->n_events + 1, sizeof(*r->records));
	if (all && events && r->records) {
		sort_entries(r, all, events);
		free(r->events);
		r->events = events;
	} else {
		fail_oom(r);
		free(events);
	}
	free(all);
}

/* ---- the records that they name ---- */

static bool is_in(const struct reading *r, const struct event_log_event *ev, const struct part *p)
{
	return r->entries[ev->entry].partition == p->partition;
}

static const struct record *read_record(struct reading *r, const struct resp *text)
{
	struct err e;

	if (!resp_is_text(text) ||
	    record_parse(resp_text(text), resp_len(text), &r->records[r->n_records], &e) < 0)
		return NULL;
	return &r->records[r->n_records++];
}

static void take_records(struct part *p, const struct resp *reply)
{
	struct reading *r = p->reading;
	const struct event_log_event *last = NULL;
	size_t k = 0;

	/* ask_records asks once for events of the same message in a row. */
	for (size_t i = 0; i < r->n_events; i++) {
		struct event_log_event *ev = &r->events[i];
		const struct record *record;

		if (!is_in(r, ev, p))
			continue;
		if (last && strcmp(ev->message, last->message) == 0)
			record = last->record;
		else
			record = read_record(r, resp_item(reply, k++));
		ev->record = record;
		last = ev;
	}
}

static void find_events(struct reading *r)
{
	for (size_t i = 0; i < r->n_events; i++) {
		struct event_log_event *ev = &r->events[i];

		ev->event = ev->record ? record_find_event(ev->record, ev->n) : NULL;
		if (!ev->event)
			ev->record = NULL;
	}
}

static void on_records(const struct call_result *result, void *context)
{
	struct part *p = context;

	take_records(p, result->reply);
	if (!call_group_end(&p->reading->calls, result))
		return;
	find_events(p->reading);
	end_reading(p->reading);
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
		command_key(&c, p->partition, KEY_MESSAGE, last);
		n++;
	}
	if (n == 0) {
		command_deinit(&c);
		return;
	}
	r->calls.n_open++;
	redis_call(r->redis, &c, 1, LIMIT_MS, CALLBACK(on_records, p));
}

/* ---- reading ---- */

static void on_entries(const struct call_result *result, void *context)
{
	struct part *p = context;
	struct reading *r = p->reading;

	r->is_full |= resp_count(result->reply) == r->max;
	for (size_t i = 0; i < resp_count(result->reply); i++)
		add_entry(r, p->partition, resp_item(result->reply, i));
	if (!call_group_end(&r->calls, result))
		return;
	if (!r->calls.has_failed)
		merge(r);
	for (unsigned i = 0; !r->calls.has_failed && i < r->n_parts; i++)
		ask_records(&r->parts[i]);
	if (r->calls.n_open == 0)
		end_reading(r);
}

static void ask_entries(struct part *p)
{
	struct command c = {0};
	char start[EVENT_LOG_PLACE_TEXT + 1] = "(";

	event_log_place_write(&p->from.at, start + 1);
	command_start(&c, "XRANGE");
	command_key(&c, p->partition, KEY_LOG, p->reading->project);
	command_str(&c, p->from.is_after ? start : start + 1);
	command_str(&c, p->reading->until);
	command_str(&c, "COUNT");
	command_num(&c, (int64_t)p->reading->max);
	redis_call(p->reading->redis, &c, 1, LIMIT_MS, CALLBACK(on_entries, p));
}

static void ask_all(struct reading *r)
{
	r->calls.n_open = r->n_parts;
	for (unsigned i = 0; i < r->n_parts; i++)
		ask_entries(&r->parts[i]);
}

/* Takes Redis's time, {s, us}. Entries from this ms on are left for the next read: a partition that
 * was read early may still get entries that are older than those read from others. In a cluster,
 * the clock that is behind the others counts. */
static void on_time(const struct call_result *result, void *context)
{
	struct reading *r = context;
	int64_t now = resp_time_ms(result->reply);
	bool is_last = call_group_end(&r->calls, result);

	if (result->end == CALL_ANSWERED && !now)
		r->calls.has_failed = resp_unexpected(&r->calls.why) < 0;
	if (!r->now_ms || now < r->now_ms)
		r->now_ms = now;
	if (!is_last)
		return;
	if (r->calls.has_failed) {
		end_reading(r);
		return;
	}
	snprintf(r->until, sizeof(r->until), "%" PRId64, r->now_ms - 1);
	ask_all(r);
}

static void ask_time(struct reading *r)
{
	struct command c = {0};

	for (unsigned p = 0; p < redis_partitions(r->redis); p++) {
		if (!redis_partition_is_first(r->redis, p))
			continue;
		r->calls.n_open++;
		command_start(&c, "TIME");
		command_to(&c, p);
		redis_call(r->redis, &c, 1, LIMIT_MS, CALLBACK(on_time, r));
	}
}

struct refused {
	event_log_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	const struct refused *r = context;

	r->fn(NULL, result->why, r->arg);
}

void event_log_read(struct redis *redis, const char *project, const struct event_log_from *from,
		    unsigned n, size_t max, event_log_fn *fn, void *arg)
{
	struct reading *r = calloc(1, sizeof(*r) + n * sizeof(r->parts[0]));
	struct refused refused = {fn, arg};

	if (!r) {
		redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
		return;
	}
	r->redis = redis;
	r->max = max;
	r->fn = fn;
	r->arg = arg;
	r->n_parts = n;
	snprintf(r->project, sizeof(r->project), "%s", project);
	snprintf(r->until, sizeof(r->until), "+");
	for (unsigned i = 0; i < n; i++)
		r->parts[i] = (struct part){r, from[i].partition, from[i]};
	if (n == 1)
		ask_all(r);
	else
		ask_time(r);
}

/* ---- what the retention removed ---- */

struct cut {
	event_log_cut_fn *fn;
	void *arg;
};

static void on_cut(const struct call_result *result, void *context)
{
	const struct cut *c = context;
	struct event_log_place at = {0};

	event_log_place_read(resp_text(result->reply), &at);
	c->fn(&at, result->why, c->arg);
}

void event_log_cut(struct redis *redis, const char *project, unsigned partition,
		   event_log_cut_fn *fn, void *arg)
{
	struct cut cut = {fn, arg};
	struct command c = {0};

	command_start(&c, "HGET");
	command_key(&c, partition, KEY_LOG_CUT);
	command_str(&c, project);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_cut, cut));
}
