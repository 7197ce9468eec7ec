#ifndef SERVER_STORE_QUEUE_RELEASE_H
#define SERVER_STORE_QUEUE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;
struct config;
struct command;
struct resp;

/* Takes back leases and slots: those of an owner that died, and those whose time ran out. */

/* All of a dead owner, in all partitions. fn fires exactly once, never from within. */
typedef void release_fn(const struct err *why, void *arg);
void release_owner(struct redis *redis, const char *owner, release_fn *fn, void *arg);

/* ---- for the keeper: what ran out ---- */

/* Writes the command for one partition. owner "": leases and owners whose time ran out. */
void release_command(struct command *c, unsigned partition, const char *owner,
		     const struct config *config);
struct release_count {
	int64_t jobs;   /* leases taken back */
	int64_t owners; /* that counted as dead */
	bool has_more;
};
/* Reads its reply; adds to the metrics, and logs jobs that are held or whose outcome is unknown. */
struct release_count release_read(const struct resp *reply);

#endif
