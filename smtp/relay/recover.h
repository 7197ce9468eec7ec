#ifndef SMTP_RELAY_RECOVER_H
#define SMTP_RELAY_RECOVER_H

#include "server/role/role.h"

/* After a relay has ended or died: settles the entries in the journal of ctx->owner, then releases
 * its leases and slots. Waits for Redis without a limit. Returns the exit
 * status of the process: 0 = everything is released. */
int recover_run(const struct role_context *ctx);

#endif
