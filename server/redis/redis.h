#ifndef SERVER_REDIS_REDIS_H
#define SERVER_REDIS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;
struct config;

/* The connection of one process to Redis: connects, authenticates, loads the scripts, checks the
 * settings and the `meta` key, and does it all again when the connection is lost. Everything that
 * was asked and not answered is asked again on the new connection: every transition gives the same
 * answer when run twice. Nothing here blocks. */

struct redis;

enum redis_need {
	REDIS_SCRIPTS = 1,    /* transitions (two connections) */
	REDIS_SUBSCRIBER = 2, /* wake-ups (one more) */
};

/* After the fork. Starts to connect; a Redis that is down is no error here. */
int redis_open(struct redis **s, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e);
/* Ends all that is asked and not answered, as unanswered: before those who wait for it go. */
void redis_abandon(struct redis *redis);
void redis_close(struct redis *redis);

/* Connected, the settings hold, meta is ours: able to accept. why (may be NULL) gets the reason if
 * not: a sentence for an operator. */
bool redis_is_ready(const struct redis *redis, const char **why);

/* Connected, and the store is ours: able to finish what was accepted, whatever the settings. */
bool redis_is_connected(const struct redis *redis);

/* "fsync" or "relaxed": what a 202 promises right now. */
const char *redis_durability(const struct redis *redis);

/* The store's clock minus clock_real_ms() of this machine, as last seen. */
int64_t redis_clock_offset_ms(const struct redis *redis);

unsigned redis_partitions(const struct redis *redis);

/* Runs loop until the store is ready or ms have passed. For command lines and start-up only. */
int redis_wait_ready(struct redis *redis, int64_t ms, struct err *e);

#endif
