#ifndef API_SEND_IDEMPOTENCY_H
#define API_SEND_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* The Idempotency-Key header and the fingerprint of a request, in the form in which they are
 * stored: SHA-256 in hex, cut to 128 bits. Keys of different projects are separate, so nobody can
 * cause a collision with the key of another project. */

#define IDEMPOTENCY_HEX 33

/* Reads the header: 1-255 characters of printable ASCII, bare or as a quoted string (RFC 8941
 * 3.3.3); `"a"` and `a` are the same key. The mode goes into the hash, so that a test send
 * never replays a live one. ERR_INPUT. */
int idempotency_key(const char *header, bool is_test, char out[IDEMPOTENCY_HEX], struct err *e);

/* The hash of method, path and the bytes of the body. So the same fields in another order are
 * another request. */
void idempotency_fingerprint(const char *method, const char *path, const char *body, size_t len,
			     char out[IDEMPOTENCY_HEX]);

#endif
