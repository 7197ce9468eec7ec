/* Reads the Idempotency-Key header, and makes the fingerprint of a request. */
#include "api/send/idempotency.h"

#include <string.h>

#include "server/base/hex.h"
#include "server/base/sha256.h"

#define KEY_MAX 255

static void hash_pieces(const struct sha256_piece *pieces, size_t n, char out[IDEMPOTENCY_HEX])
{
	unsigned char digest[SHA256_BYTES];

	sha256_pieces(pieces, n, digest);
	hex_encode(digest, IDEMPOTENCY_HEX / 2, out);
}

/*
 * RFC 8941 3.3.3:
 *	sf-string = DQUOTE *chr DQUOTE
 *	chr       = unescaped / escaped
 *	unescaped = %x20-21 / %x23-5B / %x5D-7E
 *	escaped   = "\" ( DQUOTE / "\" )
 */
static int unquote_key(const char *p, char *out, size_t *len, struct err *e)
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
	struct sha256_piece pieces[] = {{is_test ? "test:" : "live:", 5}, {header, strlen(header)}};

	if (check_characters(header, e) < 0)
		return -1;
	if (header[0] == '"') {
		if (unquote_key(header, key, &pieces[1].len, e) < 0)
			return -1;
		pieces[1].bytes = key;
	}
	if (pieces[1].len < 1 || pieces[1].len > KEY_MAX)
		return err_set(e, ERR_INPUT, "Idempotency-Key must have 1 to %d characters",
			       KEY_MAX);
	hash_pieces(pieces, 2, out);
	return 0;
}

void idempotency_fingerprint(const char *method, const char *path, const char *body, size_t len,
			     char out[IDEMPOTENCY_HEX])
{
	const struct sha256_piece pieces[] = {
		{method, strlen(method)}, {"\n", 1}, {path, strlen(path)}, {"\n", 1}, {body, len},
	};

	hash_pieces(pieces, sizeof(pieces) / sizeof(pieces[0]), out);
}
