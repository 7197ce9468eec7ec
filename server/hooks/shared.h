#ifndef SERVER_HOOKS_SHARED_H
#define SERVER_HOOKS_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include "server/config/config.h"
#include "server/fetch/fetch.h"
#include "server/hooks/lease.h"

/* What all parts of the hooks process share. One a process; all pointers are borrowed but fetch,
 * which the engine owns. */
struct hooks_shared {
	const struct config *config;
	struct redis *redis;
	struct fetch *fetch; /* NULL: the process ends, no more requests go out */
	struct lease lease;
	size_t in_flight; /* requests of all endpoints that have no result yet */
	bool is_stopping;
};

#endif
