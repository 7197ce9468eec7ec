#ifndef SERVER_REDIS_LINK_REDIS_TLS_H
#define SERVER_REDIS_LINK_REDIS_TLS_H

#include "server/base/err.h"

struct config;
struct redis_url;
struct tls_context;

/* Loads the CA certificates, and our own certificate if there is one, for a rediss:// URL. *out is
 * NULL for other URLs. The caller frees it with tls_context_free. ERR_INPUT: a file cannot be
 * used; the text names the setting. */
int redis_tls_load(const struct config *config, const struct redis_url *url,
		   struct tls_context **out, struct err *e);

#endif
