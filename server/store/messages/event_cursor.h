#ifndef SERVER_STORE_MESSAGES_EVENT_CURSOR_H
#define SERVER_STORE_MESSAGES_EVENT_CURSOR_H

#include <stdbool.h>

#include "server/base/buf.h"
#include "server/store/messages/event_log.h"

/* A position in the event log of a project, over all partitions, as a text that a client keeps and
 * gives back:
 *
 *	cursor = ms "_" seq "_" partition "_" lines	; numbers in base 36
 *
 * The log is ordered by ms, seq, partition: a position in this order is a position in every
 * partition, so the text has at most 40 octets whatever the number of partitions. Entries get their
 * ms from Redis's clock. If that clock is set back, for example by a failover, a reader may miss
 * what other partitions log until the clock has caught up. */

struct event_cursor {
	struct event_log_place at; /* all before this entry is read, and of the entry ... */
	unsigned partition;
	unsigned lines; /* ... so many lines; 0 = all */
};

void event_cursor_write(const struct event_cursor *c, struct buf *out);
/* -1: not a text that event_cursor_write makes with so many partitions; *c stays as it was. */
int event_cursor_read(const char *text, unsigned partitions, struct event_cursor *c);

/* Where the partition continues. */
struct event_log_from event_cursor_from(const struct event_cursor *c, unsigned partition);

/* The position after so many lines of an entry. */
struct event_cursor event_cursor_after(const struct event_log_entry *entry, unsigned lines);
/* Moves *c to the position `to`. False: it is there already, or later. */
bool event_cursor_move(struct event_cursor *c, const struct event_cursor *to);

#endif
