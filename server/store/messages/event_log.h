#ifndef SERVER_STORE_MESSAGES_EVENT_LOG_H
#define SERVER_STORE_MESSAGES_EVENT_LOG_H

#include "server/base/id.h"
#include "server/store/messages/record.h"

struct redis;

/* The log of a project: one stream a partition, `ev:<project>`, whose entries name messages and the
 * numbers of their events; the facts are in the records. Entries go after the retention. */

/* A place in a partition's log: an entry, "<ms>-<seq>" in Redis. Ordered by ms, then seq. */
struct event_log_place {
	int64_t ms, seq;
};
/* <0, 0, >0 as strcmp. */
int event_log_place_compare(const struct event_log_place *a, const struct event_log_place *b);

struct event_log_entry {
	unsigned partition;
	struct event_log_place at;
	unsigned n_lines;
};

struct event_log_event {
	size_t entry;  /* of the entries read, from 0 */
	unsigned line; /* in its entry, from 0 */
	char message[ID_LEN + 1];
	unsigned n;                       /* of the event in its message */
	const struct record *record;      /* NULL: swept, or damaged */
	const struct record_event *event; /* of the record; NULL with it */
};

struct event_log_page {
	const struct event_log_entry *entries; /* by time; those of a partition are in its order */
	size_t n_entries;
	const struct event_log_event *events; /* in order, of all entries */
	size_t n_events;
	bool is_full; /* as many entries as were asked for: there may be more */
};

struct event_log_from {
	unsigned partition;
	struct event_log_place at;
	bool is_after; /* read behind it; else from it on */
};

/* page NULL: ERR_RETRY, the store cannot tell now. Borrowed for the call. fn fires exactly once,
 * never from within, within 10 s. */
typedef void event_log_fn(const struct event_log_page *page, const struct err *why, void *arg);
/* Reads the logs of n partitions, each from its place on: the first `max` entries of all. */
void event_log_read(struct redis *redis, const char *project, const struct event_log_from *from,
		    unsigned n, size_t max, event_log_fn *fn, void *arg);

/* The last entry that a partition's log lost to the retention; {0, 0}: none. */
typedef void event_log_cut_fn(const struct event_log_place *cut, const struct err *why, void *arg);
void event_log_cut(struct redis *redis, const char *project, unsigned partition,
		   event_log_cut_fn *fn, void *arg);

#endif
