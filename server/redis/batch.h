#ifndef SERVER_REDIS_BATCH_H
#define SERVER_REDIS_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/redis/callback.h"
#include "server/redis/link/command.h"

struct redis;

/* Groups requests of one kind into script calls. Items that are added in one loop turn, or while
 * max_in_flight calls are under way, are sent together in one call, up to max_items and max_bytes.
 * Each partition has its own queue. */

struct batch_item; /* the first member of the kind's own struct, which malloc() gave */
struct batch_item {
	struct batch_item *next;
	struct command args; /* command_args() and the item's arguments */
};

struct batch_kind {
	unsigned connection; /* of the first call; further calls in flight use the others in turn */
	size_t max_items;    /* a call */
	size_t max_bytes;    /* a call that has reached it gets no more items; 0 = no limit */
	unsigned max_in_flight; /* calls without a result, for each partition */
	int64_t limit_ms;       /* time limit of a call; 0 = none */
	bool needs_ready;       /* items end as CALL_NEVER_SENT while Redis cannot accept mail */
	bool waits_for_replica; /* with durability replicated: after a replica has the result */
	size_t first, width;    /* the reply is an array of first + items * width; 0, 0 = any */
	/* Writes the script and its arguments before those of the items. */
	void (*start)(struct command *c, unsigned partition, void *arg);
	/* After start: true if this item must not be in the call. It ends as CALL_NEVER_SENT, with
	 * over_text. NULL: all items may be. */
	bool (*is_over)(const struct batch_item *item, void *arg);
	const char *over_text;
	/* Fires once for each item, never inside batch_add, and frees the item. If the reply is an
	 * array, the item's part starts at index `at` of result->reply. */
	void (*answer)(struct batch_item *item, const struct call_result *result, size_t at,
		       void *arg);
};

struct batch;
/* kind and arg are borrowed. NULL: out of memory. */
struct batch *batch_new(struct redis *redis, const struct batch_kind *kind, void *arg);
/* Call redis_abandon first: items in flight are not freed here. */
void batch_free(struct batch *b);

/* Takes the item. -1: out of memory; the caller keeps the item. An item whose args failed ends as
 * CALL_FAILED. */
int batch_add(struct batch *b, unsigned partition, struct batch_item *item);
/* The number of items whose `answer` has not fired: in all partitions, in one partition. */
size_t batch_unanswered(const struct batch *b);
size_t batch_unanswered_in(const struct batch *b, unsigned partition);
/* Ends all items that wait as CALL_NEVER_SENT. */
void batch_abandon(struct batch *b);

/* A part of the client (redis_part) that has one batch: the first member of the part's own struct,
 * which is the arg of the batch's callbacks. These are the functions of its redis_part_kind. */
struct batch_part {
	struct redis *redis;
	struct batch *batch;
};
/* size: of the own struct, which is zeroed. NULL: out of memory. */
void *batch_part_make(struct redis *redis, const struct batch_kind *kind, size_t size);
void batch_part_abandon(void *part);
void batch_part_free(void *part);

#endif
