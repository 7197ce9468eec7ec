/* Base64, for bodies, encoded words and signatures. */
#include "server/mail/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *out, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	char *to = out;

	for (; len >= 3; p += 3, len -= 3) {
		*to++ = alphabet[p[0] >> 2];
		*to++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
		*to++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
		*to++ = alphabet[p[2] & 63];
	}
	if (len) {
		unsigned second = len == 2 ? p[1] : 0;

		*to++ = alphabet[p[0] >> 2];
		*to++ = alphabet[(p[0] & 3U) << 4 | second >> 4];
		*to++ = len == 2 ? alphabet[(second & 15U) << 2] : '=';
		*to++ = '=';
	}
	return (size_t)(to - out);
}
