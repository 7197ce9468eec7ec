/* Signs webhooks. */
#include "server/events/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "server/base/base64.h"

#define PREFIX "whsec_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

void sign_write_secret(const unsigned char random[SIGN_SECRET_BYTES], char text[SIGN_SECRET_TEXT])
{
	size_t len;

	memcpy(text, PREFIX, PREFIX_LEN);
	len = base64_encode(text + PREFIX_LEN, random, SIGN_SECRET_BYTES);
	text[PREFIX_LEN + len] = 0;
}

static int read_secret(const char *text, unsigned char out[SIGN_SECRET_BYTES + 1])
{
	size_t len = strlen(text);

	/* 32 bytes are 43 characters and one pad, which decodes to one byte more. */
	if (strncmp(text, PREFIX, PREFIX_LEN) != 0 ||
	    len - PREFIX_LEN != BASE64_LEN((size_t)SIGN_SECRET_BYTES))
		return -1;
	return EVP_DecodeBlock(out, (const unsigned char *)text + PREFIX_LEN,
			       (int)(len - PREFIX_LEN)) == SIGN_SECRET_BYTES + 1
		       ? 0
		       : -1;
}

int sign_append(const char *secret_text, const struct sign_input *in, struct buf *out)
{
	unsigned char key[SIGN_SECRET_BYTES + 1], mac[EVP_MAX_MD_SIZE];
	char text[BASE64_LEN(EVP_MAX_MD_SIZE)];
	struct buf signed_part = {0};
	unsigned len = 0;
	int rc;

	if (read_secret(secret_text, key) < 0)
		return -1;
	buf_fmt(&signed_part, "%s.%" PRId64 ".", in->id, in->timestamp_s);
	buf_append(&signed_part, in->body, in->body_len);
	rc = !signed_part.failed && HMAC(EVP_sha256(), key, SIGN_SECRET_BYTES,
					 (const unsigned char *)signed_part.data, signed_part.len,
					 mac, &len)
		     ? 0
		     : -1;
	explicit_bzero(key, sizeof(key));
	buf_deinit(&signed_part);
	if (rc < 0)
		return -1;
	buf_fmt(out, "%sv1,%.*s", out->len ? " " : "", (int)base64_encode(text, mac, len), text);
	return out->failed ? -1 : 0;
}
