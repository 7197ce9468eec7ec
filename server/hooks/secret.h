#ifndef SERVER_HOOKS_SECRET_H
#define SERVER_HOOKS_SECRET_H

struct config;
struct endpoint;

/* The secrets of an endpoint, which sign its posts. The store has them sealed. */

/* sealed: a secret of the endpoint, or NULL. The caller frees the result with secret_wipe. NULL:
 * there is none, or it cannot be decrypted, which is logged. */
char *secret_open(const struct endpoint *endpoint, const char *sealed, const struct config *config);
/* Overwrites and frees it. NULL does nothing. */
void secret_wipe(char *secret);

#endif
