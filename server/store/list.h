#ifndef SERVER_STORE_LIST_H
#define SERVER_STORE_LIST_H

#include "server/base/id.h"
#include "server/store/record.h"

struct store;

/* Messages of a project, newest first (with several partitions: newest hour first). */

/* Where in the lists: see lua/list.lua. hour < 0: nowhere, the end. */
struct list_place {
	int64_t hour; /* since 1970 */
	unsigned partition;
	int64_t index; /* go on before this one; -1: at the end of the list */
};

struct list_query {
	const char *project; /* the project's number, as in struct key */
	const char *to;      /* NULL: any; else only those that may have this recipient */
	const char *tag;     /* NULL: any; used where neither to nor state choose a list */
	const char *state;   /* NULL: any; of a recipient, or "mixed"; queued and delivered choose
				no list */
	int64_t since_ms, until_ms; /* to the hour; 0: as far as there are lists, now */
	struct list_place from;     /* {0}: the beginning */
	size_t max;
};

struct list_item {
	char id[ID_LEN + 1];
	struct record record;
	struct list_place place; /* go on from here to get what follows it */
};

/* items: candidates, that is what the list chosen has; the caller looks at what else it asked for.
 * Fewer than max, or none, do not mean the end: next does. ERR_RETRY: the store cannot tell now.
 * Borrowed for the call. fn fires exactly once, never from within, within 5 s. */
typedef void list_fn(const struct list_item *items, size_t n, const struct list_place *next,
		     const struct err *why, void *arg);
void list_read(struct store *s, const struct list_query *q, list_fn *fn, void *arg);

#endif
