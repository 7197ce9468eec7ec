#ifndef API_HTTP_CERTIFICATE_H
#define API_HTTP_CERTIFICATE_H

#include "server/base/err.h"
#include "server/config/config.h"

/* The certificate and private key of the API (POSTERN_TLS_CERT, POSTERN_TLS_KEY). ERR_INPUT names
 * the setting and the file. */

/* PEM texts, allocated by malloc, ended by NUL. Both are NULL if no certificate is configured. */
int certificate_load(const struct config *config, char **cert, char **key, struct err *e);
/* Overwrites the key, and frees it. NULL is allowed. */
void certificate_wipe(char *key);
/* Checks both files: PEM, and the key belongs to the certificate. */
int certificate_check(const struct config *config, struct err *e);

#endif
