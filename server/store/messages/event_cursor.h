#ifndef SERVER_STORE_MESSAGES_EVENT_CURSOR_H
#define SERVER_STORE_MESSAGES_EVENT_CURSOR_H

#include <stdbool.h>

#include "server/base/buf.h"
#include "server/store/messages/event_log.h"

/*~ A position in the event log of a project, over all partitions, as a text that a client sends
 *back:
 *
 *	cursor = ms "_" seq "_" partition "_" lines	; numbers in base 36
 *
 * The log is ordered by ms, seq, partition: a position in this order is a position in every
 * partition, so the text has at most 40 octets whatever the number of partitions. Entries get their
 * ms from Redis's clock. If that clock is set back, for example by a failover, a reader may miss
 * what other partitions log until the clock has caught up. */

struct event_cursor {
	struct event_log_place at; /* all entries before this one are read ... */
	unsigned partition;
	unsigned lines; /* ... and so many lines of this one; 0 = all */
};

void event_cursor_write(const struct event_cursor *c, struct buf *out);
/* -1: event_cursor_write does not make this text with so many partitions; *c is unchanged. */
int event_cursor_read(const char *text, unsigned partitions, struct event_cursor *c);

/* Where to continue reading in a partition. */
struct event_log_from event_cursor_from(const struct event_cursor *c, unsigned partition);

/* The position after the first `lines` lines of an entry. */
struct event_cursor event_cursor_after(const struct event_log_entry *entry, unsigned lines);
/* Moves *c forward to the position `to`. False: *c is not before it and is unchanged. */
bool event_cursor_move(struct event_cursor *c, const struct event_cursor *to);

#endif
