#ifndef SERVER_MAIL_DKIM_KEY_H
#define SERVER_MAIL_DKIM_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/base/buf.h"
#include "server/mail/dkim.h"

#define DKIM_HASH_LEN 32
#define DKIM_SIGNATURE_MAX 512 /* RSA of 4096 bits */

/* Working memory of a signature. Made once, because making it costs as much as hashing a small
 * mail. */
struct dkim_work {
	EVP_MD_CTX *digest;
	EVP_MD_CTX *ed25519;
	EVP_PKEY_CTX *rsa;
	struct buf canonical;
	struct buf field;
};

struct dkim_key {
	EVP_PKEY *pkey;
	EVP_MD *sha256;
	struct dkim_work *work;
	bool is_rsa;        /* else Ed25519 */
	char domain[256];   /* d= */
	char selector[256]; /* s= */
};

/* Signs a SHA-256 hash, by RSA (RFC 8301) or Ed25519 (RFC 8463). *len: the room in out, then the
 * length of the signature. */
int dkim_key_sign(const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN],
		  unsigned char *out, size_t *len, struct err *e);

#endif
