#ifndef API_JSON_JSON_H
#define API_JSON_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "server/base/err.h"

/* Parses the body of a request as JSON (RFC 8259): an object or array with nothing after it, no
 * name twice in an object, no NUL in a string, UTF-8 only, at most JSON_DEPTH_MAX levels and
 * JSON_VALUES_MAX values. */

/* The caller must decref *out. ERR_INPUT: "Line 3, column 14: ...", columns in
 * characters; the text never quotes the body.
 * ERR_REFUSED: too many values. ERR_INTERNAL: out of memory. */
int json_parse_body(const char *text, size_t len, json_t **out, struct err *e);

/* The JSON on one line, with a line end, so that a shell prompt begins on a new line. Allocated by
 * malloc; NULL: out of memory, or body is NULL. */
char *json_line(const json_t *body);

#endif
