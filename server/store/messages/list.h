#ifndef SERVER_STORE_MESSAGES_LIST_H
#define SERVER_STORE_MESSAGES_LIST_H

#include "server/base/id.h"
#include "server/store/messages/cursor.h"
#include "server/store/messages/record.h"

struct redis;

/* Lists the messages of a project, newest first. With more than LIST_BY_TIME_MAX partitions, only
 * hours are in this order; the messages of an hour come partition by partition, newest first in
 * each, so that the positions have a short text. No message is left out or repeated in either
 * order.
 *
 * A position in the lists of a partition
 * (lua/messages/list.lua): `at` is the hour since 1970, 0 = after the last list; `index` is 0 at
 * the begin of that hour's list, else 1 more than the entries that are left in it. */

#define LIST_BY_TIME_MAX 40

struct list_query {
	const char *project;        /* the tenant, as in struct key */
	const char *to;             /* NULL: any; else only those that may have this recipient */
	const char *tag;            /* NULL: any; has a list, used if `to` and `state` have none */
	const char *state;          /* NULL: any; of a recipient, or "mixed"; queued, scheduled and
				       delivered have no list */
	int64_t since_ms, until_ms; /* to the hour; 0: as far back as there are lists, now */
	size_t max;                 /* items a page, about */
};

struct list_item {
	char id[ID_LEN + 1];
	struct record record;
	unsigned partition;
	struct cursor_position place; /* where its partition continues after it */
};

/* The first positions of the query; one for each partition. */
void list_begin(struct redis *redis, const struct list_query *q, struct cursor_position *positions);
/* The positions as a text of at most CURSOR_MAX_BYTES, and back; -1: not such a text. */
void list_cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out);
int list_cursor_read(const char *text, struct cursor_position *positions, unsigned n);
/* No partition has anything after its position. */
bool list_is_over(const struct cursor_position *positions, unsigned n);

/* Moves the positions, which are before the item, after it. */
void list_move_after(const struct list_item *item, struct cursor_position *positions, unsigned n);

struct list_page {
	/* Candidates: all messages of the chosen list. The caller checks the other conditions of
	 * its query. No item does not mean the end: list_is_over(next) does. */
	const struct list_item *items;
	size_t n;
	const struct cursor_position *begin; /* before all items, and after newer messages */
	const struct cursor_position *next;  /* after all items */
};

/* page NULL: ERR_RETRY, ERR_INTERNAL. Borrowed for the callback. fn fires exactly once, never from
 * within, within 5 s. */
typedef void list_fn(const struct list_page *page, const struct err *why, void *arg);
/* From these positions on, which are not over. */
void list_read(struct redis *redis, const struct list_query *q,
	       const struct cursor_position *positions, list_fn *fn, void *arg);

#endif
