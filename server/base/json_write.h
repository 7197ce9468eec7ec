#ifndef SERVER_BASE_JSON_WRITE_H
#define SERVER_BASE_JSON_WRITE_H

#include <stddef.h>

struct buf;

/* Writes JSON text (RFC 8259) without Jansson. It is used for every message, because building
 * Jansson values and dumping them costs three times as much. The output equals that of Jansson with
 * JSON_COMPACT. Errors: see buf.failed. */

/* Appends text as a quoted and escaped string. text is UTF-8. */
void json_write_string(struct buf *out, const char *text, size_t len);
/* Appends `"name":`, with a comma before it unless the output ends in `{`. */
void json_write_name(struct buf *out, const char *name);
/* Appends a member whose value is a string. */
void json_write_member(struct buf *out, const char *name, const char *text);

#endif
