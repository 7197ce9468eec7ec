#ifndef SERVER_BASE_UTF8_H
#define SERVER_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */

/* Reads the code point at p to *cp. Returns its octets (1-4); 0 when p is not valid UTF-8. */
size_t utf8_next(const char *p, size_t len, uint32_t *cp);
#define UTF8_MAX 4 /* octets */
/* Writes a valid code point. Returns its octets (1-4). */
size_t utf8_write(uint32_t cp, char out[UTF8_MAX]);
/* True for C0, DEL, C1, U+2028 and U+2029: some readers treat them as line ends. */
bool utf8_is_control(uint32_t cp);
/* True for embeddings, overrides and isolates: they can make one name look like another. */
bool utf8_is_bidi_control(uint32_t cp);
/* Checks that text is one line of UTF-8 without controls. ERR_INPUT: a sentence that begins with
 * `what`. */
int utf8_check_line(const char *text, size_t len, const char *what, struct err *e);
/* The same, and without bidi controls. */
int utf8_check_name(const char *text, size_t len, const char *what, struct err *e);

#endif
