/* Encrypts small secrets. */
#include "server/base/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "server/base/random.h"

/* A sealed text: "s1:", and in base64 the nonce, the encrypted text and the tag (AES-256-GCM). */
#define KEY_BYTES 32
#define KEY_TEXT 44
#define NONCE 12
#define TAG 16
#define PREFIX "s1:"
#define TEXT_MAX 8192

static int read_key(const char *text, unsigned char key[KEY_BYTES + 1], struct err *e)
{
	char padded[KEY_TEXT + 2];
	int n;

	if (!*text)
		return err_set(e, ERR_REFUSED,
			       "set POSTERN_SECRET to 32 bytes in base64 (openssl rand -base64 "
			       "32), the same on every machine: without it secrets cannot be "
			       "sealed");
	/* The padding may be missing. */
	snprintf(padded, sizeof(padded), "%.44s%s", text, strlen(text) == KEY_TEXT - 1 ? "=" : "");
	n = strlen(padded) == KEY_TEXT && strlen(text) <= KEY_TEXT
		    ? EVP_DecodeBlock(key, (const unsigned char *)padded, KEY_TEXT)
		    : 0;
	explicit_bzero(padded, sizeof(padded));
	if (n != KEY_BYTES + 1)
		return err_set(e, ERR_REFUSED, "POSTERN_SECRET is not 32 bytes in base64");
	return 0;
}

/* what: additional data (NIST SP 800-38D). A sealed text that is moved to another place does not
 * open. */
static int encrypt(const unsigned char *key, const char *what, const char *text, size_t len,
		   unsigned char *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char *body = out + NONCE;
	int n;
	int ok;

	/* A random nonce of 96 bits: with few secrets for a key, it does not repeat. */
	random_bytes(out, NONCE);
	ok = c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
	     EVP_EncryptUpdate(c, NULL, &n, (const unsigned char *)what, (int)strlen(what)) == 1 &&
	     EVP_EncryptUpdate(c, body, &n, (const unsigned char *)text, (int)len) == 1 &&
	     EVP_EncryptFinal_ex(c, body + len, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, body + len) == 1;

	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : -1;
}

int seal_text(const char *key_text, const char *what, const char *text, struct buf *out,
	      struct err *e)
{
	unsigned char key[KEY_BYTES + 1], sealed[NONCE + TEXT_MAX + TAG];
	unsigned char encoded[(NONCE + TEXT_MAX + TAG + 2) / 3 * 4 + 1];
	size_t len = strlen(text);
	int rc, n;

	if (read_key(key_text, key, e) < 0)
		return -1;
	rc = len > TEXT_MAX ? -1 : encrypt(key, what, text, len, sealed);
	explicit_bzero(key, sizeof(key));
	if (rc < 0)
		return err_set(e, ERR_INTERNAL, "a secret could not be encrypted");
	n = EVP_EncodeBlock(encoded, sealed, (int)(NONCE + len + TAG));
	buf_str(out, PREFIX);
	buf_append(out, encoded, (size_t)n);
	return out->failed ? err_oom(e) : 0;
}

/* text has room for len - NONCE - TAG + 1. */
static int decrypt(const unsigned char *key, const char *what, const unsigned char *sealed,
		   size_t len, unsigned char *text)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	const unsigned char *body = sealed + NONCE;
	size_t n_body = len - NONCE - TAG;
	unsigned char tag[TAG];
	int n;
	int ok;

	memcpy(tag, body + n_body, TAG);
	ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
	     EVP_DecryptUpdate(c, NULL, &n, (const unsigned char *)what, (int)strlen(what)) == 1 &&
	     EVP_DecryptUpdate(c, text, &n, body, (int)n_body) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	     EVP_DecryptFinal_ex(c, text + n_body, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	text[n_body] = 0;
	return ok ? 0 : -1;
}

int seal_open(const char *key_text, const char *what, const char *sealed, struct buf *out,
	      struct err *e)
{
	unsigned char key[KEY_BYTES + 1], bytes[NONCE + TEXT_MAX + TAG + 3], text[TEXT_MAX + 1];
	size_t len = strlen(sealed), pads = 0;
	int n, rc = -1;

	if (read_key(key_text, key, e) < 0)
		return -1;
	if (strncmp(sealed, PREFIX, strlen(PREFIX)) == 0 && len % 4 == strlen(PREFIX) % 4 &&
	    (len - strlen(PREFIX)) / 4 * 3 <= sizeof(bytes)) {
		n = EVP_DecodeBlock(bytes, (const unsigned char *)sealed + strlen(PREFIX),
				    (int)(len - strlen(PREFIX)));
		/* EVP_DecodeBlock counts the octets of the padding as well. */
		while (pads < 2 && len > 0 && sealed[len - 1 - pads] == '=')
			pads++;
		n -= (int)pads;
		if (n >= NONCE + TAG && n <= NONCE + TEXT_MAX + TAG)
			rc = decrypt(key, what, bytes, (size_t)n, text);
	}
	explicit_bzero(key, sizeof(key));
	if (rc == 0)
		buf_str(out, (const char *)text);
	/* GCM decrypts before it knows whether the tag is right: nothing of it may stay. */
	explicit_bzero(text, sizeof(text));
	if (rc < 0)
		return err_set(e, ERR_INTERNAL,
			       "a secret cannot be decrypted: it was encrypted with another "
			       "POSTERN_SECRET");
	return out->failed ? err_oom(e) : 0;
}

int seal_derive(const char *key_text, const char *what, unsigned char out[SEAL_DERIVED],
		struct err *e)
{
	unsigned char key[KEY_BYTES + 1];
	const unsigned char *made;

	if (read_key(key_text, key, e) < 0)
		return -1;
	made = HMAC(EVP_sha512(), key, KEY_BYTES, (const unsigned char *)what, strlen(what), out,
		    NULL);
	explicit_bzero(key, sizeof(key));
	return made ? 0 : err_set(e, ERR_INTERNAL, "HMAC failed");
}
