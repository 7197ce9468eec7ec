#ifndef SMTP_RELAY_RELAY_ROLE_H
#define SMTP_RELAY_RELAY_ROLE_H

#include "server/role/role.h"

/* The mail door: takes jobs from the queue as ctx->owner and delivers them. */
int role_relay(const struct role_context *ctx);

/* After the death of a relay: replays the journal of ctx->owner, then releases its leases and
 * slots. Waits for Redis as long as it takes; 0 when done. */
int role_recover(const struct role_context *ctx);

#endif
