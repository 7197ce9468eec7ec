#ifndef SERVER_REDIS_REDIS_H
#define SERVER_REDIS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/redis/callback.h"
#include "server/redis/subscriber.h"

struct loop;
struct config;
struct command;

/* The connection of one process to Redis. It connects, authenticates, loads the scripts, checks the
 * settings and the `meta` key, and does so again after each loss. Calls without a reply are sent
 * again on the new connection: every script gives the same result when it runs twice. Nothing here
 * blocks. */

struct redis;

enum redis_need {
	REDIS_SCRIPTS = 1,    /* calls (two connections) */
	REDIS_SUBSCRIBER = 2, /* publications (one more) */
};

/* Call after the fork. Starts to connect; a Redis that is down is no error here. */
int redis_open(struct redis **redis, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e);
/* Ends all calls that have no result, as CALL_UNKNOWN or CALL_NEVER_SENT. Call it before the
 * owners of their contexts are freed. */
void redis_abandon(struct redis *redis);
/* Frees everything; no callback fires. */
void redis_close(struct redis *redis);

/* ---- state ---- */

/* Connected, the settings hold, the `meta` key is ours: mail can be accepted. why (may be NULL)
 * gets the reason if not: a sentence for an operator. */
bool redis_is_ready(const struct redis *redis, const char **why);
/* Connected, and the `meta` key is ours: accepted mail can be processed, whatever the settings. */
bool redis_is_connected(const struct redis *redis);
/* "fsync" or "relaxed": what a 202 promises now. */
const char *redis_durability(const struct redis *redis);
/* Redis's clock minus clock_real_ms(), as last seen. */
int64_t redis_clock_offset_ms(const struct redis *redis);
unsigned redis_partitions(const struct redis *redis);
/* Runs loop until redis_is_ready, or ms have passed. For commands and start-up only. */
int redis_wait_ready(struct redis *redis, int64_t ms, struct err *e);

/* ---- calls, for the store ---- */

/* Sends a command. connection: any number, taken modulo. limit_ms: 0 = as long as it takes. Takes
 * the command's memory. back.fn fires exactly once, never from within. A command that could not be
 * built for lack of memory ends as CALL_FAILED (ERR_INTERNAL). */
void redis_call(struct redis *redis, struct command *take, unsigned connection, int64_t limit_ms,
		struct callback back);
/* Ends as a call for which memory ran out: for callers that could not allocate their own part. */
void redis_call_oom(struct redis *redis, struct callback back);

/* name: "wake" or "inbox", of every partition. Nothing happens without REDIS_SUBSCRIBER. */
void redis_subscribe(struct redis *redis, const char *name, channel_fn *fn, void *arg);

/* State that a part of the store keeps for this connection: made on first use, freed by
 * redis_close. A part is known by the address of its kind; at most 16 kinds. */
struct redis_part_kind {
	void *(*make)(struct redis *redis); /* NULL: out of memory */
	void (*abandon)(void *state);       /* ends its calls that were not sent; may be NULL */
	void (*free_fn)(void *state);
};
/* NULL: out of memory. */
void *redis_part(struct redis *redis, const struct redis_part_kind *kind);

struct loop *redis_loop(struct redis *redis);
const struct config *redis_config(const struct redis *redis);
/* A script told Redis's time. */
void redis_saw_time(struct redis *redis, int64_t redis_ms);
/* A deadline in Redis's time passed too early: one of the clocks may have been set. Asks for the
 * time. */
void redis_was_late(struct redis *redis);

#endif
