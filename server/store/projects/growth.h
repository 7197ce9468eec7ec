#ifndef SERVER_STORE_PROJECTS_GROWTH_H
#define SERVER_STORE_PROJECTS_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* Raises the number of partitions of a store in use. It takes some 10 seconds, and longer with many
 * suppressions. Each step can be repeated, so a growth that was interrupted continues when it is
 * run again:
 *
 * 1. The new partitions are prepared, and `meta` names them. Within PARTITIONS_KNOWN_MS all
 *    processes read them.
 * 2. They get what each partition has a copy of: weights of projects and suppressions. All
 *    processes write changes of these to all partitions by now.
 * 3. `meta` gets the time from which on new messages use them: PARTITIONS_AHEAD_MS later. */

struct growth_result {
	int64_t from_ms; /* Redis time when new messages begin to use them; 0: they do already */
	size_t suppressions; /* copied to each new partition */
};
/* result NULL: why. ERR_INPUT: the number is refused. */
typedef void growth_fn(const struct growth_result *result, const struct err *why, void *arg);
/* redis must be connected. fn fires once; it may fire before the call returns. */
void growth_run(struct redis *redis, unsigned wanted, growth_fn *fn, void *arg);

#endif
