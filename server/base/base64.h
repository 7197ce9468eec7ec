#ifndef SERVER_BASE_BASE64_H
#define SERVER_BASE_BASE64_H

#include <stddef.h>

#include "server/base/err.h"

/* Base64 with padding and the standard alphabet (RFC 4648 section 4). */

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters to out, without a NUL. Returns their number. */
size_t base64_encode(char *out, const void *bytes, size_t len);

/* Room that base64_decode needs for len characters. */
#define BASE64_ROOM(len) ((len) / 4 * 3)

/* Decodes to out, which has room for BASE64_ROOM(len) bytes, and sets *out_len. Strict: the text is
 * padded, has no white space and no line ends, and its unused bits are zero. ERR_INPUT names the
 * character that is wrong. */
int base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len, struct err *e);

#endif
