#ifndef SMTP_RELAY_RELAY_ROLE_H
#define SMTP_RELAY_RELAY_ROLE_H

#include "server/role/role.h"

/* Takes jobs from the queue as ctx->owner and delivers them. */
int role_relay(const struct role_context *ctx);

/* After a relay has ended or died: settles the entries in the journal of ctx->owner, then releases
 * its leases and slots. Waits for Redis without limit. Returns 0 when all is released. */
int role_recover(const struct role_context *ctx);

#endif
