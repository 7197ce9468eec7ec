#ifndef API_BASE64_H
#define API_BASE64_H

#include <stddef.h>

#include "server/base/err.h"

/* Strict base64 (RFC 4648 4): the standard alphabet, padded, no white space, no line ends, unused
 * bits zero. ERR_INPUT says where it is broken. */

/* Room that base64_decode needs for len characters. */
#define BASE64_ROOM(len) ((len) / 4 * 3)

int base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len, struct err *e);

#endif
