#ifndef SERVER_ROLE_ROLE_H
#define SERVER_ROLE_ROLE_H

#include <stddef.h>

#include "server/config/config.h"

/* What runs in a child of the supervisor: api/api_role.h, smtp/relay/relay_role.h,
 * server/keeper/keeper.h. A role sets itself up after the fork, runs its loop, drains on SIGTERM (a
 * second SIGTERM: at once) and returns the exit status: 0 = drained, 1 = failed. */

struct role_context {
	const struct config *config;
	const int *listen_fds; /* bound and listening, non-blocking; of the supervisor */
	size_t n_listen_fds;
	const char *owner; /* relay and recover: the owner id of that relay's incarnation */
};

typedef int role_fn(const struct role_context *ctx);

#endif
