#ifndef SERVER_STORE_MESSAGES_LIST_H
#define SERVER_STORE_MESSAGES_LIST_H

#include "server/base/id.h"
#include "server/store/messages/cursor.h"
#include "server/store/messages/record.h"

struct redis;

/* Messages of a project, newest first. A place in a partition's lists (lua/list.lua): `at` is the
 * hour since 1970, 0 behind the last one; `index` is 0 at the end of its list, else one more than
 * the entries that are left in it. */

struct list_query {
	const char *project; /* the project's number, as in struct key */
	const char *to;      /* NULL: any; else only those that may have this recipient */
	const char *tag;     /* NULL: any; used where neither to nor state choose a list */
	const char *state;   /* NULL: any; of a recipient, or "mixed"; queued and delivered choose
				no list */
	int64_t since_ms, until_ms; /* to the hour; 0: as far as there are lists, now */
	size_t max;                 /* about so many at once */
};

struct list_item {
	char id[ID_LEN + 1];
	struct record record;
	unsigned partition;
	struct cursor_position place; /* go on from here in its partition to get what follows it */
};

/* Where the query's messages begin; a place for each partition of the store. */
void list_begin(struct redis *redis, const struct list_query *q, struct cursor_position *positions);
/* Is there nothing behind the positions? */
bool list_is_over(const struct cursor_position *positions, unsigned n);

struct list_page {
	/* Candidates, that is what the list chosen has; the caller looks at what else it asked for.
	 * None does not mean the end: next does. */
	const struct list_item *items;
	size_t n;
	const struct cursor_position
		*begin; /* before all items, and behind what came since they were read */
	const struct cursor_position *next; /* behind all items */
};

/* page NULL: ERR_RETRY, the store cannot tell now. Borrowed for the call. fn fires exactly once,
 * never from within, within 5 s. */
typedef void list_fn(const struct list_page *page, const struct err *why, void *arg);
/* From these positions on, which are not over. */
void list_read(struct redis *redis, const struct list_query *q,
	       const struct cursor_position *positions, list_fn *fn, void *arg);

#endif
