#ifndef SERVER_BASE_SEAL_H
#define SERVER_BASE_SEAL_H

#include <stddef.h>

#include "server/base/buf.h"
#include "server/base/err.h"

/* Encrypts secrets that are kept in Redis and must be readable again (those of webhooks):
 * AES-256-GCM with the setting `secret` (32 bytes, base64). `what` ("webhook whk_...") is
 * authenticated, too, so a sealed text cannot be used in another place. */

/* Appends "s1:" and base64. ERR_REFUSED: there is no key; the text says how to set one. */
int seal_text(const char *key, const char *what, const char *text, struct buf *out, struct err *e);
/* Appends the text. ERR_REFUSED: no key; ERR_INTERNAL: sealed with another key, or damaged. */
int seal_open(const char *key, const char *what, const char *sealed, struct buf *out,
	      struct err *e);

#endif
