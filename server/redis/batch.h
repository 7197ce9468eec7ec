#ifndef SERVER_REDIS_BATCH_H
#define SERVER_REDIS_BATCH_H

#include "server/base/loop.h"
#include "server/redis/call.h"

/* Groups requests of one kind for one partition: all that are asked in a loop turn, or while a call
 * is under way, go out in one script call. One call at a time. Requests wait as long as the store
 * is away. */

struct batch_item; /* begin of a struct of the kind's own: embed it first */
struct batch_item {
	struct batch_item *next;
	struct command args;
};

struct batch_kind {
	enum script script;
	unsigned conn;
	size_t max;
	/* Writes the arguments that come before those of the items. */
	void (*head)(struct command *c, void *arg);
	/* The answer for item i of the call (reply NULL: refused for good). Frees the item. */
	void (*answer)(struct batch_item *item, const redisReply *whole, size_t i, void *arg);
};

struct batch {
	struct redis *redis;
	const struct batch_kind *kind;
	unsigned partition;
	void *arg;
	struct batch_item *first, **last;
	size_t n_waiting;
	struct batch_item *sent;
	size_t n_sent;
	struct loop_post post;
};

int batch_init(struct batch *b, struct redis *redis, const struct batch_kind *kind,
	       unsigned partition, void *arg);
void batch_add(struct batch *b, struct batch_item *item);
size_t batch_unanswered(const struct batch *b);
/* Answers what waits as refused. */
void batch_abandon(struct batch *b);
/* Drops what waits. */
void batch_deinit(struct batch *b);

#endif
