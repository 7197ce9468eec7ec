#ifndef SERVER_BASE_HEX_H
#define SERVER_BASE_HEX_H

#include <stddef.h>

/* Lower-case hex digits and a NUL: out has room for 2 * len + 1. */
void hex_encode(const unsigned char *bytes, size_t len, char *out);
/* The value of a hex digit in either case; -1: c is not a hex digit. */
int hex_digit(char c);
/* The value of two hex digits, 0-255; -1: one of them is not a hex digit. */
int hex_octet(const char digits[2]);

#endif
