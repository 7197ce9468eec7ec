#ifndef SERVER_HOOKS_SHARED_H
#define SERVER_HOOKS_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include "server/config/config.h"
#include "server/fetch/fetch.h"
#include "server/hooks/lease.h"
#include "server/hooks/share.h"

/* State that all parts of the hooks process share, one per process. Pointers are borrowed, except
 * fetch, which the engine owns. */
struct hooks_shared {
	const struct config *config;
	struct redis *redis;
	struct fetch *fetch; /* NULL: the process is stopping and sends no more requests */
	struct lease lease;
	struct shares shares; /* of the requests that have no result yet */
	bool is_stopping;
};

#endif
