#ifndef SERVER_STORE_MESSAGES_LIST_H
#define SERVER_STORE_MESSAGES_LIST_H

#include "server/base/id.h"
#include "server/store/messages/cursor.h"
#include "server/store/messages/record.h"

struct partitions;

struct redis;

/* Lists the messages of a project, newest first. With more than LIST_BY_TIME_MAX partitions, only
 * the hours are in this order. The messages of an hour then come partition by partition, newest
 * first in each, so that the cursor is a short text. No message is left out or repeated in either
 * order.
 *
 * A position in the lists of a partition (lua/messages/list.lua): `at` is the hour since 1970, 0 =
 * after the last list. `index` is 0 at the start of that hour's list, else the number of entries
 * that are left in it plus 1. */

#define LIST_BY_TIME_MAX 40

struct list_query {
	const char *project;        /* the tenant, as in struct key */
	const char *to;             /* NULL: any; else messages that may have this recipient */
	const char *tag;            /* NULL: any; its list is used if `to` and `state` have none */
	const char *state;          /* NULL: any; of a recipient, or "mixed". No lists exist for
				       queued, scheduled and delivered */
	int64_t since_ms, until_ms; /* rounded to hours; 0: the oldest list, now */
	size_t max;                 /* items a page, about */
};

struct list_item {
	char id[ID_LEN + 1];
	struct record record;
	unsigned partition;
	struct cursor_position place; /* position of its partition after this item */
};

/* A listing reads n partitions, which exist when it begins, up to its last page. Partitions that
 * are added later have newer messages only. */

/* Fills the first positions of the query, one for each of n partitions. */
void list_begin(struct redis *redis, const struct list_query *q, struct cursor_position *positions,
		unsigned n);
/* Writes the positions as a text of at most CURSOR_MAX_BYTES. */
void list_cursor_write(const struct cursor_position *positions, unsigned n, struct buf *out);
/* Reads it. positions: room for all partitions. Returns n of the listing; 0: not such a text. */
unsigned list_cursor_read(const char *text, const struct partitions *all,
			  struct cursor_position *positions);
/* True if no partition has messages after its position. */
bool list_is_over(const struct cursor_position *positions, unsigned n);

/* Moves the positions from before the item to after it. */
void list_move_after(const struct list_item *item, struct cursor_position *positions, unsigned n);

struct list_page {
	/* Candidates: all messages of the chosen list. The caller checks the other conditions of
	 * its query. A page without items is not the end; list_is_over(next) tells the end. */
	const struct list_item *items;
	size_t n;
	const struct cursor_position *begin; /* before all items, and after newer messages */
	const struct cursor_position *next;  /* after all items */
};

/* page is borrowed for the callback; NULL: ERR_RETRY, ERR_INTERNAL. fn fires exactly once, after
 * list_read has returned, within 5 s. */
typedef void list_fn(const struct list_page *page, const struct err *why, void *arg);
/* Reads a page from these positions on. Call it only if !list_is_over(positions). */
void list_read(struct redis *redis, const struct list_query *q,
	       const struct cursor_position *positions, unsigned n, list_fn *fn, void *arg);

#endif
