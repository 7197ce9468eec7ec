#ifndef SERVER_BASE_PERCENT_H
#define SERVER_BASE_PERCENT_H

#include <stddef.h>

/* Percent-encoding (RFC 3986 2.1). */

/* Decodes every "%XX" and copies all other octets. Writes at most room - 1 octets and a NUL to out,
 * and returns the length of the whole decoded text, as snprintf does. -1: a "%" is not followed by
 * two hex digits. The decoded text may contain any octet, also NUL. out may be text itself. */
long percent_decode(const char *text, size_t len, char *out, size_t room);

#define PERCENT_LEN 3
/* Writes "%XX" to out, in upper case, without a NUL. */
void percent_encode(unsigned char octet, char out[PERCENT_LEN]);

#endif
