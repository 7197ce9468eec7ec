#ifndef API_JSON_JSON_H
#define API_JSON_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "server/base/err.h"

/* The bytes of a body to JSON (RFC 8259): an object or array, nothing after it, no name twice in an
 * object, no NUL in a string, UTF-8 only, at most JSON_DEPTH_MAX levels and JSON_VALUES_MAX values.
 */

#define JSON_DEPTH_MAX 16
/* A parsed value takes some 100 octets, however short its text. A send needs about 10,000 at most.
 */
#define JSON_VALUES_MAX 20000

/* *out is for the caller to decref. ERR_INPUT "line 3, column 14: ..."; the text never quotes the
 * body. ERR_REFUSED: too many values. ERR_INTERNAL: out of memory. */
int json_parse_body(const char *text, size_t len, json_t **out, struct err *e);

/* The JSON on one line, with a line end, so that the shell's prompt does not follow it in a
 * terminal. malloc; NULL: out of memory, or body is NULL. */
char *json_line(const json_t *body);

#endif
