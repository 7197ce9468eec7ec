#ifndef SERVER_REDIS_CALL_H
#define SERVER_REDIS_CALL_H

#include <stdint.h>

#include <hiredis/hiredis.h>

#include "server/base/err.h"
#include "server/redis/command.h"

/* Inside the store: commands on their way. A call ends in exactly one way; until then it is run
 * again after each lost connection and each "not now" of Redis (LOADING, BUSY, READONLY, OOM ...).
 */

struct redis;

enum call_end {
	CALL_ANSWERED,   /* reply is Redis's, never an error reply */
	CALL_NEVER_SENT, /* the time limit passed, and it never ran: not sent, or Redis said "not
			    now" */
	CALL_UNKNOWN,    /* the time limit passed: it may have been done */
	CALL_FAILED,     /* Redis refused it for good: a fault of ours, logged; nothing was done. A
			    call without a limit was tried for 6 s */
};

/* reply and why are borrowed for the call; why is set unless CALL_ANSWERED. */
typedef void call_fn(enum call_end end, const redisReply *reply, const struct err *why, void *arg);

/* conn: which of the connections (any number; taken modulo). limit_ms: 0 = as long as it takes.
 * Takes the command's memory. fn fires exactly once, never from within. */
void redis_call(struct redis *redis, struct command *take, unsigned conn, int64_t limit_ms,
		call_fn *fn, void *arg);

/* Someone who wants to hear of a publication. Called with text NULL after each (re)subscription. */
typedef void channel_fn(const char *text, size_t len, void *arg);
/* name: "wake" or "inbox", of every partition. */
void redis_subscribe(struct redis *redis, const char *name, channel_fn *fn, void *arg);

/* What a part of the store keeps in it (the accept queue, the cache of keys ...): made on first
 * use, freed with the store. */
enum redis_part {
	PART_ACCEPT,
	PART_JOBS,
	PART_KEYS,
	PART_INBOX,
	PART_TRANSCRIPTS,
	PART_RELAY_WATCH,
	REDIS_PARTS
};
struct redis_part_kind {
	void *(*make)(struct redis *redis); /* NULL when memory ran out: then so is redis_part */
	void (*abandon)(void *state);       /* ends what waits in it, as unanswered; may be NULL */
	void (*free_fn)(void *state);
};
void *redis_part(struct redis *redis, enum redis_part which, const struct redis_part_kind *kind);

struct loop *redis_loop(struct redis *redis);
const struct config *redis_config(const struct redis *redis);
void redis_saw_time(struct redis *redis, int64_t redis_ms);
/* A deadline in Redis time passed too early: one of the clocks may have been set. Asks for the
 * time.
 */
void redis_was_late(struct redis *redis);

#endif
