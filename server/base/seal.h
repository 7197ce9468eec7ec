#ifndef SERVER_BASE_SEAL_H
#define SERVER_BASE_SEAL_H

#include <stddef.h>

#include "server/base/buf.h"
#include "server/base/err.h"

/* Encrypts ("seals") texts that are kept in Redis and must be readable again: secrets of webhooks,
 * and responses with a secret. AES-256-GCM with `key`, the setting `secret` (32 bytes in base64).
 * `what` ("webhook whk_...") is authenticated as well, so a sealed text is not valid for another.
 */

/* Appends "s1:" and base64. text: at most 8,192 octets. ERR_REFUSED: key is empty; the text says
 * how to set it. */
int seal_text(const char *key, const char *what, const char *text, struct buf *out, struct err *e);
/* Appends the text. ERR_REFUSED: key is empty; ERR_INTERNAL: sealed with another key, or damaged.
 */
int seal_open(const char *key, const char *what, const char *sealed, struct buf *out,
	      struct err *e);

#define SEAL_DERIVED 64
/* Octets that only depend on key and `what` (HMAC-SHA512), and that nobody can compute without the
 * key. ERR_REFUSED: key is empty. */
int seal_derive(const char *key, const char *what, unsigned char out[SEAL_DERIVED], struct err *e);

#endif
