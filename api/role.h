#ifndef API_ROLE_H
#define API_ROLE_H

#include "server/base/role.h"

/* The web door: serves the API on ctx->listen_fds. */
int role_api(const struct role_context *ctx);

#endif
