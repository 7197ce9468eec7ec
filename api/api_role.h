#ifndef API_API_ROLE_H
#define API_API_ROLE_H

#include "server/role/role.h"

/* Serves the HTTP API on ctx->listen_fds. */
int api_role_run(const struct role_context *ctx);

#endif
