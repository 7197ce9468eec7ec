#ifndef API_API_ROLE_H
#define API_API_ROLE_H

#include "server/role/role.h"

/* The web door: serves the API on ctx->listen_fds. */
int role_api(const struct role_context *ctx);

#endif
