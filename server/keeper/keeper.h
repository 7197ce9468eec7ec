#ifndef SERVER_KEEPER_KEEPER_H
#define SERVER_KEEPER_KEEPER_H

#include "server/role/role.h"

/* Looks after the store: moves due jobs to ready, takes back expired leases, expires what is past
 * its deadline, sweeps what retention gives up, checks that nothing rests in silence. */
int role_keeper(const struct role_context *ctx);

#endif
