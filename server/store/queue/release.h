#ifndef SERVER_STORE_QUEUE_RELEASE_H
#define SERVER_STORE_QUEUE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;
struct config;
struct command;
struct resp;

/* Takes back leases and slots of dead owners, and leases that have expired. */

/* Takes back all leases and slots of a dead owner, in all partitions. fn fires exactly once, after
 * the call has returned. */
typedef void release_fn(const struct err *why, void *arg);
void release_owner(struct redis *redis, const char *owner, release_fn *fn, void *arg);

/* ---- for the keeper: expired leases and silent owners ---- */

/* Writes the command for one partition. owner "": expired leases and silent owners. */
void release_command(struct command *c, unsigned partition, const char *owner,
		     const struct config *config);
struct release_count {
	int64_t jobs;   /* leases taken back */
	int64_t owners; /* that now count as dead */
	bool has_more;
};
/* Reads the reply, adds to the metrics, and logs jobs that are held or have an unknown outcome. */
struct release_count release_read(const struct resp *reply);

#endif
