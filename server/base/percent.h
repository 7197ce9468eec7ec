#ifndef SERVER_BASE_PERCENT_H
#define SERVER_BASE_PERCENT_H

#include <stddef.h>

/* Percent-encoding (RFC 3986 2.1). */

/* Decodes every "%XX" of len octets and copies all others, as snprintf would: at most room - 1
 * octets and a NUL go to out; the result is the length of the whole text, or -1 when a "%" is not
 * followed by two hex digits. The result may hold any octet, NUL too. out may be text itself. */
long percent_decode(const char *text, size_t len, char *out, size_t room);

#define PERCENT_LEN 3
/* Writes "%XX" to out, in upper case, without a NUL. */
void percent_encode(unsigned char octet, char out[PERCENT_LEN]);

#endif
