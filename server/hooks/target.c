/* One endpoint: what it has coming, in the order of its project's log. */
#include "server/hooks/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/seal.h"
#include "server/events/event.h"
#include "server/store/messages/messages.h"
#include "server/store/messages/cursor.h"
#include "server/redis/redis.h"

#define ENTRIES_A_READ 32
#define READS_AT_ONCE 4
#define WAITING_MAX 200   /* events in memory; what comes behind waits in the log */
#define RETRIES_MAX 10000 /* set aside; then the cursor stands still */
#define IN_FLIGHT_MAX 512 /* over all endpoints */

/* ---- the entries whose events are under way ---- */

static struct entry *entry_add(struct feed *f, const struct event_log_place *at)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		abort();
	entry->at = *at;
	*f->last = entry;
	f->last = &entry->next;
	return entry;
}

/* The cursor goes past the entries at the front that are done with. */
static void settle(struct feed *f)
{
	struct target *t = f->target;
	struct event_log_place done = {0};
	struct entry *entry;

	while ((entry = f->first) && entry->n_open == 0) {
		done = entry->at;
		f->first = entry->next;
		if (!f->first)
			f->last = &f->first;
		free(entry);
	}
	if (done.ms)
		deliveries_cursor(&t->engine->batch, t->endpoint.id, f->partition, &done);
}

/* ---- reading ---- */

static bool wants(const struct target *t, const char *type)
{
	const json_t *filter;
	size_t i;

	json_array_foreach (t->endpoint.events, i, filter) {
		if (event_filter_fits(json_string_value(filter), type))
			return true;
	}
	return false;
}

struct post *target_make_post(struct target *t, const char *message, const struct record *record,
			      const struct record_event *ev, const char *cursor)
{
	struct event_about about = {message, t->project_id, cursor};
	json_t *json = event_json(&about, record, ev);
	char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct post *d;

	json_decref(json);
	if (!body)
		return NULL;
	d = post_new(t, message, ev->n, body);
	snprintf(d->type, sizeof(d->type), "message.%s", ev->type);
	d->at_ms = ev->at_ms;
	return d;
}

static void enqueue(struct target *t, struct post *d)
{
	*t->last_waiting = d;
	t->last_waiting = &d->next;
	t->n_waiting++;
}

void target_write_cursor(const struct target *t, const struct cursor_position *place,
			 struct buf *out)
{
	if (t->n_feeds == 1)
		cursor_write(place, 1, out);
}

static struct cursor_position place_of(const struct event_log_entry *entry, unsigned line)
{
	return (struct cursor_position){entry->at.ms, entry->at.seq,
					line + 1 < entry->n_lines ? line + 1 : 0};
}

static void take_page(struct feed *f, const struct event_log_page *page)
{
	struct target *t = f->target;
	struct buf cursor = {0};
	size_t i = 0;

	for (size_t k = 0; k < page->n_entries; k++) {
		struct entry *entry = entry_add(f, &page->entries[k].at);

		for (; i < page->n_events && page->events[i].entry == k; i++) {
			const struct event_log_event *ev = &page->events[i];
			struct cursor_position place = place_of(&page->entries[k], ev->line);
			struct post *d;

			if (!ev->record || !wants(t, ev->event->type))
				continue;
			buf_reset(&cursor);
			target_write_cursor(t, &place, &cursor);
			d = target_make_post(t, ev->message, ev->record, ev->event,
					     cursor.len ? cursor.data : NULL);
			if (!d)
				continue;
			d->entry = entry;
			d->partition = f->partition;
			entry->n_open++;
			enqueue(t, d);
		}
		f->read = entry->at;
	}
	buf_deinit(&cursor);
	f->has_news = page->is_full;
	settle(f);
}

static void on_page(const struct event_log_page *page, const struct err *why, void *arg)
{
	struct feed *f = arg;

	(void)why;
	f->is_reading = false;
	if (page && !f->target->is_gone)
		take_page(f, page);
	target_go_on(f->target);
}

static void read_log(struct feed *f)
{
	event_log_read(f->target->engine->redis, f->target->endpoint.project,
		       &(struct event_log_from){f->partition, f->read, true}, 1, ENTRIES_A_READ,
		       on_page, f);
}

/* What nobody read is gone; the log is read on behind it. */
static void on_cut(const struct event_log_place *cut, const struct err *why, void *arg)
{
	struct feed *f = arg;
	struct target *t = f->target;

	if (why || t->is_gone) {
		f->is_reading = false;
		return;
	}
	if (event_log_place_compare(&f->read, cut) < 0) {
		target_lost(t, f->read.ms, cut->ms);
		f->read = *cut;
		if (!f->first)
			deliveries_cursor(&t->engine->batch, t->endpoint.id, f->partition, cut);
	}
	read_log(f);
}

/* Was the last that was read long enough ago for the retention to have come past it? */
static bool is_old(const struct feed *f)
{
	const struct engine *e = f->target->engine;

	return f->read.ms <
	       clock_real_ms() + redis_clock_offset_ms(e->redis) - e->config->retention_s * 1000;
}

/* The partitions in turn, a few at once: each read brings more than WAITING_MAX at worst. */
static void read_on(struct target *t)
{
	size_t first = t->next_feed, n_reading = 0;

	for (size_t i = 0; i < t->n_feeds; i++)
		n_reading += t->feeds[i].is_reading;
	for (size_t i = 0; i < t->n_feeds && n_reading < READS_AT_ONCE; i++) {
		struct feed *f = &t->feeds[(first + i) % t->n_feeds];

		if (!f->has_news || f->is_reading || t->n_waiting >= WAITING_MAX ||
		    t->n_retries >= RETRIES_MAX)
			continue;
		n_reading++;
		t->next_feed = f->partition + 1;
		f->is_reading = true;
		if (is_old(f))
			event_log_cut(t->engine->redis, t->endpoint.project, f->partition, on_cut,
				      f);
		else
			read_log(f);
	}
}

void target_hear_news(struct target *t, unsigned partition)
{
	t->feeds[partition].has_news = true;
	target_go_on(t);
}

void target_ended(struct target *t, struct entry *entry, unsigned partition)
{
	if (!entry)
		return;
	entry->n_open--;
	settle(&t->feeds[partition]);
}

/* ---- sending ---- */

static void send_some(struct target *t)
{
	struct post *d;

	/* Many that hang leave one at a time to those that do not. */
	while ((d = t->waiting) && t->in_flight < t->window &&
	       (t->engine->in_flight < IN_FLIGHT_MAX || t->in_flight == 0)) {
		t->waiting = d->next;
		if (!t->waiting)
			t->last_waiting = &t->waiting;
		t->n_waiting--;
		post_send(d);
	}
}

void target_go_on(struct target *t)
{
	if (t->is_gone || !t->engine->is_active || t->engine->is_stopping || !t->secret)
		return;
	send_some(t);
	retries_go_on(t);
	read_on(t);
}

/* ---- birth, change, end ---- */

static char *open_secret(const struct target *t, const char *sealed)
{
	struct buf text = {0};
	char name[64];
	struct err why;

	if (!sealed)
		return NULL;
	endpoint_seal_name(t->endpoint.id, name);
	if (seal_open(t->engine->config->secret, name, sealed, &text, &why) < 0) {
		LOG(LOG_ERROR, "webhook.secret_unreadable", LOG_S("webhook", t->endpoint.id),
		    LOG_S("reason", why.text));
		return NULL;
	}
	return buf_give(&text);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void target_update(struct target *t, struct deliveries_endpoint *take)
{
	endpoint_deinit(&t->endpoint);
	t->endpoint = take->endpoint;
	take->endpoint = (struct endpoint){0};
	wipe(t->secret);
	wipe(t->old_secret);
	t->secret = open_secret(t, t->endpoint.secret);
	t->old_secret = open_secret(t, t->endpoint.old_secret);
	retries_count(t, take->n_retries);
}

struct target *target_new(struct engine *e, struct deliveries_endpoint *take)
{
	struct target *t = calloc(1, sizeof(*t));
	unsigned partitions = redis_partitions(e->redis);

	if (!t || !(t->feeds = calloc(partitions, sizeof(*t->feeds))))
		abort();
	t->engine = e;
	t->n_feeds = partitions;
	t->window = 8;
	t->last_waiting = &t->waiting;
	t->is_failing = take->n_retries > 0;
	t->good_ms = take->good_ms;
	snprintf(t->project_id, sizeof(t->project_id), "%s", take->project_id);
	for (unsigned p = 0; p < partitions; p++) {
		t->feeds[p] = (struct feed){t, p, take->done[p], NULL, NULL, false, true};
		t->feeds[p].last = &t->feeds[p].first;
	}
	target_update(t, take);
	return t;
}

static void free_all(struct post **list)
{
	struct post *d;

	while ((d = *list)) {
		*list = d->next;
		post_free(d);
	}
}

static void drop_waiting(struct target *t)
{
	free_all(&t->waiting);
	t->last_waiting = &t->waiting;
	t->n_waiting = 0;
}

void target_close(struct target *t)
{
	t->is_gone = true;
	drop_waiting(t);
}

void target_disable(struct target *t, const char *reason)
{
	LOG(LOG_ERROR, "webhook.disabled", LOG_S("webhook", t->endpoint.id),
	    LOG_S("reason", reason));
	deliveries_disable(&t->engine->batch, t->endpoint.id, reason);
	target_close(t);
}

void target_lost(struct target *t, int64_t from_ms, int64_t until_ms)
{
	char texts[2][CLOCK_RFC3339_LEN];
	const char *from = texts[0], *until = texts[1];

	clock_rfc3339(from_ms, texts[0]);
	clock_rfc3339(until_ms, texts[1]);
	metric_add(METRIC_WEBHOOKS_LOST, 1);
	LOG(LOG_WARN, "webhook.events_lost", LOG_S("webhook", t->endpoint.id), LOG_S("from", from),
	    LOG_S("until", until), LOG_S("reason", "their retention is over (retention_s)"));
	deliveries_lost(&t->engine->batch, t->endpoint.id, from_ms, until_ms);
}

void target_free(struct target *t)
{
	drop_waiting(t);
	free_all(&t->flying);
	for (size_t i = 0; i < t->n_feeds; i++) {
		struct entry *entry;

		while ((entry = t->feeds[i].first)) {
			t->feeds[i].first = entry->next;
			free(entry);
		}
	}
	wipe(t->secret);
	wipe(t->old_secret);
	endpoint_deinit(&t->endpoint);
	free(t->feeds);
	free(t);
}
