/* Reads the Idempotency-Key header and takes the fingerprint of a request. */
#include "api/idempotency.h"

#include <string.h>

#include <openssl/evp.h>

#include "server/base/hex.h"

#define KEY_MAX 255

struct piece {
	const void *bytes;
	size_t len;
};

static int hash(const struct piece *pieces, size_t n, char out[IDEMPOTENCY_HEX], struct err *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t i;
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i].bytes, pieces[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, digest, &len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok || len != 32)
		return err_set(e, ERR_INTERNAL, "SHA-256 failed");
	hex_encode(digest, IDEMPOTENCY_HEX / 2, out);
	return 0;
}

/*
 * RFC 8941 3.3.3:
 *	sf-string = DQUOTE *chr DQUOTE
 *	chr       = unescaped / escaped
 *	unescaped = %x20-21 / %x23-5B / %x5D-7E
 *	escaped   = "\" ( DQUOTE / "\" )
 */
static int unquote(const char *p, char *out, size_t *len, struct err *e)
{
	size_t n = 0;

	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && *++p != '"' && *p != '\\')
			return err_set(
				e, ERR_INPUT,
				"Idempotency-Key: a backslash may stand before \" or \\ only");
		if (n < KEY_MAX + 1)
			out[n++] = *p;
	}
	if (*p != '"' || p[1])
		return err_set(e, ERR_INPUT,
			       "Idempotency-Key: a quoted key must end with its quote");
	*len = n;
	return 0;
}

static int check_characters(const char *header, struct err *e)
{
	const char *p;

	for (p = header; *p; p++)
		if (*p < ' ' || *p > '~')
			return err_set(e, ERR_INPUT, "Idempotency-Key must be printable ASCII");
	return 0;
}

int idempotency_key(const char *header, bool is_test, char out[IDEMPOTENCY_HEX], struct err *e)
{
	char key[KEY_MAX + 1] = "";
	struct piece pieces[] = {{is_test ? "test:" : "live:", 5}, {header, strlen(header)}};

	if (check_characters(header, e) < 0)
		return -1;
	if (header[0] == '"') {
		if (unquote(header, key, &pieces[1].len, e) < 0)
			return -1;
		pieces[1].bytes = key;
	}
	if (pieces[1].len < 1 || pieces[1].len > KEY_MAX)
		return err_set(e, ERR_INPUT, "Idempotency-Key must have 1 to %d characters",
			       KEY_MAX);
	return hash(pieces, 2, out, e);
}

int idempotency_fingerprint(const char *method, const char *path, const char *body, size_t len,
			    char out[IDEMPOTENCY_HEX], struct err *e)
{
	const struct piece pieces[] = {
		{method, strlen(method)}, {"\n", 1}, {path, strlen(path)}, {"\n", 1}, {body, len},
	};

	return hash(pieces, sizeof(pieces) / sizeof(pieces[0]), out, e);
}
