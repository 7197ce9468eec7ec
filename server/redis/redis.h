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

struct store;

enum store_need {
	STORE_SCRIPTS = 1,    /* transitions (two connections) */
	STORE_SUBSCRIBER = 2, /* wake-ups (one more) */
};

/* After the fork. Starts to connect; a Redis that is down is no error here. */
int store_open(struct store **s, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e);
/* Ends all that is asked and not answered, as unanswered: before those who wait for it go. */
void store_abandon(struct store *s);
void store_close(struct store *s);

/* Connected, the settings hold, meta is ours: able to accept. why (may be NULL) gets the reason if
 * not: a sentence for an operator. */
bool store_is_ready(const struct store *s, const char **why);

/* Connected, and the store is ours: able to finish what was accepted, whatever the settings. */
bool store_is_connected(const struct store *s);

/* "fsync" or "relaxed": what a 202 promises right now. */
const char *store_durability(const struct store *s);

/* The store's clock minus clock_real_ms() of this machine, as last seen. */
int64_t store_clock_offset_ms(const struct store *s);

unsigned store_partitions(const struct store *s);

/* Runs loop until the store is ready or ms have passed. For command lines and start-up only. */
int store_wait_ready(struct store *s, int64_t ms, struct err *e);

#endif
