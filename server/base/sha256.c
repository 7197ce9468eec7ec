/* SHA-256, by OpenSSL. */
#include "server/base/sha256.h"

#include <stdbool.h>
#include <stdlib.h>

#include <openssl/evp.h>

/* Fetched once: EVP_sha256() would fetch it again, under locks, for each digest. */
static const EVP_MD *algorithm(void)
{
	static EVP_MD *md;

	if (!md)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md;
}

void sha256_pieces(const struct sha256_piece *pieces, size_t n, unsigned char out[SHA256_BYTES])
{
	static EVP_MD_CTX *ctx; /* one per process: processes are single-threaded */
	bool ok;

	if (!ctx)
		ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestInit_ex2(ctx, algorithm(), NULL) == 1;
	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i].bytes, pieces[i].len) == 1;
	if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort(); /* no memory: a wrong digest would let a wrong key pass */
}

void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES])
{
	sha256_pieces(&(struct sha256_piece){bytes, len}, 1, out);
}
