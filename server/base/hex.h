#ifndef SERVER_BASE_HEX_H
#define SERVER_BASE_HEX_H

#include <stddef.h>

/* Lower-case hex digits and a NUL: out has room for 2 * len + 1. */
void hex_encode(const unsigned char *bytes, size_t len, char *out);
/* The value of a hex digit of either case; -1: it is none. */
int hex_digit(char c);
/* The octet that two hex digits stand for; -1: one of them is none. */
int hex_octet(const char digits[2]);

#endif
