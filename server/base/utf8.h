#ifndef SERVER_BASE_UTF8_H
#define SERVER_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */

/* Octets (1-4) of the code point at p, which goes to *cp; 0 when there is none. */
size_t utf8_next(const char *p, size_t len, uint32_t *cp);
/* C0, DEL, C1, and the line and paragraph separators: what could end a line somewhere. */
bool utf8_is_control(uint32_t cp);
/* Embeddings, overrides and isolates, which make a name read as another one. */
bool utf8_is_bidi_control(uint32_t cp);
/* Is text one line of UTF-8 without controls? ERR_INPUT "<what> ...". */
int utf8_check_line(const char *text, size_t len, const char *what, struct err *e);
/* The same, and without bidi controls. */
int utf8_check_name(const char *text, size_t len, const char *what, struct err *e);

#endif
