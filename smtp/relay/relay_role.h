#ifndef SMTP_RELAY_RELAY_ROLE_H
#define SMTP_RELAY_RELAY_ROLE_H

#include "server/role/role.h"

/* Takes jobs from the queue as ctx->owner and delivers them. */
int relay_role_run(const struct role_context *ctx);

#endif
