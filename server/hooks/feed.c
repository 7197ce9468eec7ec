/* Reads one partition of a project's event log for one endpoint. */
#include "server/hooks/feed.h"

#include <stdlib.h>

#include "server/base/clock.h"
#include "server/redis/redis.h"
#include "server/store/projects/endpoints.h"

#define ENTRIES_A_READ 32

/* ---- entries with posts that have not ended ---- */

static struct entry *add_entry(struct feed *f, const struct event_log_place *at)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->at = *at;
	*f->last = entry;
	f->last = &entry->next;
	return entry;
}

/* The cursor passes all entries at the front that have no open posts. */
static void move_cursor(struct feed *f)
{
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
		deliveries_cursor(&f->shared->lease.batch, f->endpoint->id, f->partition, &done);
}

void feed_end_post(struct feed *f, struct entry *entry)
{
	if (!entry)
		return;
	entry->n_open--;
	move_cursor(f);
}

/* ---- reading ---- */

/* Makes the posts of the entry whose events begin at *i, and moves *i to those of the next entry.
 */
static struct post *make_posts(struct feed *f, const struct event_log_page *page,
			       struct entry *entry, size_t k, size_t *i)
{
	struct post *posts = NULL, **last = &posts;

	for (; *i < page->n_events && page->events[*i].entry == k; (*i)++) {
		const struct event_log_event *event = &page->events[*i];
		struct event_cursor position =
			event_cursor_after(&page->entries[k], event->line + 1);
		struct post *p = event->record ? f->handler->make(f, event, &position) : NULL;

		if (!p)
			continue;
		p->entry = entry;
		p->partition = f->partition;
		entry->n_open++;
		*last = p;
		last = &p->next;
	}
	return posts;
}

/* -1: out of memory; the entry is read again. */
static int take_entry(struct feed *f, const struct event_log_page *page, size_t k, size_t *i)
{
	struct entry *entry = add_entry(f, &page->entries[k].at);

	if (!entry)
		return -1;
	f->handler->take(f, make_posts(f, page, entry, k, i));
	f->read_position = entry->at;
	return 0;
}

static void take_page(struct feed *f, const struct event_log_page *page)
{
	size_t i = 0, k = 0;

	while (k < page->n_entries && take_entry(f, page, k, &i) == 0)
		k++;
	f->has_news = page->is_full || k < page->n_entries;
	move_cursor(f);
}

static void on_page(const struct event_log_page *page, const struct err *why, void *arg)
{
	struct feed *f = arg;

	(void)why;
	f->is_reading = false;
	if (page && !f->is_closed)
		take_page(f, page);
	f->handler->rest(f);
}

static void read_entries(struct feed *f)
{
	event_log_read(f->shared->redis, f->endpoint->project,
		       &(struct event_log_from){f->partition, f->read_position, true}, 1,
		       ENTRIES_A_READ, on_page, f);
}

/* Entries up to `cut` were removed: continues after it. */
static void on_cut(const struct event_log_place *cut, const struct err *why, void *arg)
{
	struct feed *f = arg;

	if (why || f->is_closed) {
		f->is_reading = false;
		return;
	}
	if (event_log_place_compare(&f->read_position, cut) < 0) {
		f->handler->lost(f, f->read_position.ms, cut->ms);
		f->read_position = *cut;
		if (!f->first)
			deliveries_cursor(&f->shared->lease.batch, f->endpoint->id, f->partition,
					  cut);
	}
	read_entries(f);
}

/* True if the retention may have removed entries after the read position. */
static bool may_be_cut(const struct feed *f)
{
	const struct hooks_shared *shared = f->shared;

	return f->read_position.ms < clock_real_ms() +
					     redis_clock_offset_ms(shared->redis, f->partition) -
					     shared->config->retention_s * 1000;
}

void feed_read(struct feed *f)
{
	f->is_reading = true;
	if (may_be_cut(f))
		event_log_cut(f->shared->redis, f->endpoint->project, f->partition, on_cut, f);
	else
		read_entries(f);
}

/* ---- begin and end ---- */

void feed_init(struct feed *f, struct hooks_shared *shared, const struct endpoint *endpoint,
	       unsigned partition, const struct event_log_place *after)
{
	*f = (struct feed){.shared = shared,
			   .endpoint = endpoint,
			   .partition = partition,
			   .read_position = *after,
			   .has_news = true};
	f->last = &f->first;
}

void feed_deinit(struct feed *f)
{
	struct entry *entry;

	while ((entry = f->first)) {
		f->first = entry->next;
		free(entry);
	}
}
