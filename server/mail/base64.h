#ifndef SERVER_MAIL_BASE64_H
#define SERVER_MAIL_BASE64_H

#include <stddef.h>

/* Base64 with padding (RFC 4648 section 4), encoding only. */

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters to out, no NUL. Returns their number. */
size_t base64_encode(char *out, const void *bytes, size_t len);

#endif
