#ifndef SERVER_HOOKS_HOOKS_ROLE_H
#define SERVER_HOOKS_HOOKS_ROLE_H

#include "server/role/role.h"

/* Delivers webhooks. Any number of these processes may run: the one that holds the lease in Redis
 * delivers, the others wait. A drain finishes the open posts and releases the lease. */
int hooks_role_run(const struct role_context *ctx);

#endif
