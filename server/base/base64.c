/* Base64 in both directions (RFC 4648 section 4). The decoder accepts the canonical form only. */
#include "server/base/base64.h"

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

#define BAD 64

static unsigned value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : BAD;
}

static const char *reason(char c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return "white space";
	if (c == '-' || c == '_')
		return "a character of the URL-safe alphabet; use + and /";
	if (c == '=')
		return "padding before the end";
	return "a character outside the base64 alphabet";
}

/* Decodes the first n characters (2, 3 or 4) of a group; returns the index of the bad one, or n. */
static size_t group(const char *p, size_t n, unsigned *bits)
{
	size_t i;
	unsigned v;

	for (i = 0, *bits = 0; i < n; i++) {
		v = value_of(p[i]);
		if (v == BAD)
			return i;
		*bits |= v << (18 - 6 * i);
	}
	return n;
}

int base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len, struct err *e)
{
	size_t i, k, n, pad = 0, at = 0;
	unsigned bits = 0;

	if (len && text[len - 1] == '=')
		pad = len > 1 && text[len - 2] == '=' ? 2 : 1;
	for (i = 0; i < len; i += 4) {
		n = len - i <= 4 ? len - i - pad : 4;
		k = group(text + i, n, &bits);
		if (k < n)
			return err_set(e, ERR_INPUT, "is not base64: %s at character %zu",
				       reason(text[i + k]), i + k + 1);
		if (len - i < 4)
			return err_set(e, ERR_INPUT,
				       "is not base64: the length is not a multiple of 4 "
				       "(is the padding with = missing?)");
		out[at++] = (unsigned char)(bits >> 16);
		if (n > 2)
			out[at++] = (unsigned char)(bits >> 8);
		if (n > 3)
			out[at++] = (unsigned char)bits;
		/* The unused bits of the last character must be 0. */
		if ((n == 2 && (bits & 0xFFFF)) || (n == 3 && (bits & 0xFF)))
			return err_set(e, ERR_INPUT,
				       "is not base64: unused bits at the end are not zero");
	}
	*out_len = at;
	return 0;
}
