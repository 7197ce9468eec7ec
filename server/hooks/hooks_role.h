#ifndef SERVER_HOOKS_HOOKS_ROLE_H
#define SERVER_HOOKS_HOOKS_ROLE_H

#include "server/role/role.h"

/* Delivers webhooks. Any number of these processes may run; the one that has the lease in the store
 * delivers, the others wait. SIGTERM: what is under way ends, and the lease is given up. */
int role_hooks(const struct role_context *ctx);

#endif
