#ifndef SERVER_BASE_SHA256_H
#define SERVER_BASE_SHA256_H

#include <stddef.h>

/* SHA-256 (FIPS 180-4). */

#define SHA256_BYTES 32

struct sha256_piece {
	const void *bytes;
	size_t len;
};

void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES]);
/* The digest of the concatenation of n pieces. */
void sha256_pieces(const struct sha256_piece *pieces, size_t n, unsigned char out[SHA256_BYTES]);

#endif
