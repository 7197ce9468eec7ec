#ifndef API_HTTP_CERTIFICATE_H
#define API_HTTP_CERTIFICATE_H

#include "server/base/err.h"
#include "server/config/config.h"

/* The certificate and private key of the API (POSTERN_TLS_CERT, POSTERN_TLS_KEY). ERR_INPUT names
 * the setting and the file. */

/* PEM texts, malloc, with a NUL at the end; both NULL when none is configured. */
int certificate_load(const struct config *config, char **cert, char **key, struct err *e);
/* Overwrites and frees. NULL is fine. */
void certificate_wipe(char *key);
/* Checks both without serving. */
int certificate_check(const struct config *config, struct err *e);

#endif
