#ifndef SERVER_REDIS_BATCH_H
#define SERVER_REDIS_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/redis/callback.h"
#include "server/redis/command.h"

struct redis;

/* Groups requests of one kind into script calls: what is added in one loop turn, or while all
 * allowed calls are in flight, goes out together, at most so many items and bytes a call. Each
 * partition has its own queue. */

struct batch_item; /* the first member of the kind's own struct, which malloc() gave */
struct batch_item {
	struct batch_item *next;
	struct command args; /* command_args() and the item's arguments */
};

struct batch_kind {
	unsigned connection;    /* of the first call; with several in flight they take turns */
	size_t max_items;       /* a call */
	size_t max_bytes;       /* a call is full from here on; 0 = no limit */
	unsigned max_in_flight; /* calls without a result, for each partition */
	int64_t limit_ms;       /* of a call; 0 = as long as it takes */
	bool needs_ready;       /* items end as CALL_NEVER_SENT while Redis cannot accept mail */
	size_t first, width;    /* the reply is an array of first + items * width; 0, 0 = any */
	/* Starts the command: the script and its arguments before those of the items. */
	void (*start)(struct command *c, unsigned partition, void *arg);
	/* Fires once for each item, never from within batch_add, and frees it. The item's part of
	 * an array starts at item `at` of result->reply. */
	void (*answer)(struct batch_item *item, const struct call_result *result, size_t at,
		       void *arg);
};

struct batch;
/* kind and arg are borrowed. NULL: out of memory. */
struct batch *batch_new(struct redis *redis, const struct batch_kind *kind, void *arg);
/* Items in flight are not freed: call redis_abandon before. */
void batch_free(struct batch *b);

/* -1: out of memory, and the item stays the caller's. An item whose args failed ends as
 * CALL_FAILED. */
int batch_add(struct batch *b, unsigned partition, struct batch_item *item);
/* Items without an answer. */
size_t batch_unanswered(const struct batch *b);
size_t batch_unanswered_in(const struct batch *b, unsigned partition);
/* Ends the items that wait, as CALL_NEVER_SENT. */
void batch_abandon(struct batch *b);

#endif
