#ifndef SERVER_EVENTS_SIGN_H
#define SERVER_EVENTS_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"

/* Signatures of Standard Webhooks (standardwebhooks.com, 1.0): HMAC-SHA256 over id.timestamp.body.
 */

#define SIGN_SECRET_BYTES 32
#define SIGN_SECRET_TEXT 52 /* "whsec_", 44 characters of base64, NUL (and one to spare) */

/* Writes a secret in the form for its owner. random: secret octets, never used for another one. */
void sign_write_secret(const unsigned char random[SIGN_SECRET_BYTES], char text[SIGN_SECRET_TEXT]);

struct sign_input {
	const char *id;
	int64_t timestamp_s;
	const void *body;
	size_t body_len;
};
/* Appends "v1,<base64>", after a space when out is not empty. -1: text is no such secret, or out of
 * memory. */
int sign_append(const char *secret_text, const struct sign_input *in, struct buf *out);

#endif
