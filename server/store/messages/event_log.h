#ifndef SERVER_STORE_MESSAGES_EVENT_LOG_H
#define SERVER_STORE_MESSAGES_EVENT_LOG_H

#include "server/base/id.h"
#include "server/store/messages/event_log_place.h"
#include "server/store/messages/record.h"

struct redis;

/* The event log of a project: one stream for each partition, `ev:<project>`. Its entries name
 * messages and the numbers of their events; the events are in the records. Entries are removed
 * after the retention. */

struct event_log_entry {
	unsigned partition;
	struct event_log_place at;
	unsigned n_lines;
};

struct event_log_event {
	size_t entry;  /* index in entries */
	unsigned line; /* in its entry, from 0 */
	char message[ID_LEN + 1];
	unsigned n;                       /* number of the event in its message */
	const struct record *record;      /* NULL: removed, or damaged */
	const struct record_event *event; /* in the record; NULL if record is NULL */
};

struct event_log_page {
	const struct event_log_entry *entries; /* by time */
	size_t n_entries;
	const struct event_log_event *events; /* in order, of all entries */
	size_t n_events;
	bool is_full; /* a limit was reached: there may be more */
};

struct event_log_from {
	unsigned partition;
	struct event_log_place at;
	bool is_after; /* without the entry at this place */
};

/* page is borrowed for the callback; NULL: ERR_RETRY, ERR_INTERNAL. fn fires exactly once, after
 * the call has returned, within 15 s. */
typedef void event_log_fn(const struct event_log_page *page, const struct err *why, void *arg);
/* Reads the first `max` entries of n partitions, merged by time; each partition is read from its
 * place on. With several partitions, entries of the current ms are left out, because others may
 * still be added to this ms. */
void event_log_read(struct redis *redis, const char *project, const struct event_log_from *from,
		    unsigned n, size_t max, event_log_fn *fn, void *arg);

/* Gets the last entry that the retention removed from a partition's log; {0, 0}: none. cut NULL:
 * why is set. */
typedef void event_log_cut_fn(const struct event_log_place *cut, const struct err *why, void *arg);
void event_log_cut(struct redis *redis, const char *project, unsigned partition,
		   event_log_cut_fn *fn, void *arg);

#endif
