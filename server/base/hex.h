#ifndef SERVER_BASE_HEX_H
#define SERVER_BASE_HEX_H

#include <stddef.h>

/* Bytes as hex digits, and back. */

/* Lower-case hex digits and a NUL: out has room for 2 * len + 1. */
static inline void hex_encode(const unsigned char *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = 0;
}

/* The value of a hex digit in either case; -1: c is not a hex digit. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of two hex digits, 0-255; -1: one of them is not a hex digit. */
static inline int hex_octet(const char digits[2])
{
	int high = hex_digit(digits[0]);
	int low = high < 0 ? -1 : hex_digit(digits[1]);

	return low < 0 ? -1 : high * 16 + low;
}

#endif
