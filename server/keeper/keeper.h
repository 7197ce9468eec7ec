#ifndef SERVER_KEEPER_KEEPER_H
#define SERVER_KEEPER_KEEPER_H

#include "server/role/role.h"

/* Periodic work on the store: moves due jobs to ready, takes back expired leases, expires
 * recipients after their deadline, removes what retention no longer keeps, copies suppressions to
 * all partitions, and sets the queue metrics. */
int keeper_run(const struct role_context *ctx);

#endif
