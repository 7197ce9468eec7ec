#ifndef SERVER_STORE_QUEUE_SLOTS_H
#define SERVER_STORE_QUEUE_SLOTS_H

#include <stddef.h>

#include "server/base/err.h"

struct redis;

/* Slots: the right to have a connection to a site, taken by take.h. */

/* Returns slots of connections that were closed or never opened. fn may be NULL; else it fires
 * exactly once, after the call has returned. why not NULL: the slots may still count as ours. */
typedef void slots_fn(const struct err *why, void *arg);
void slots_give_back(struct redis *redis, const char *owner, unsigned partition, const char *site,
		     unsigned count, slots_fn *fn, void *arg);

/* The number of requests without a reply; a draining relay waits for 0. */
size_t slots_unanswered(struct redis *redis);

#endif
