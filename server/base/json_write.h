#ifndef SERVER_BASE_JSON_WRITE_H
#define SERVER_BASE_JSON_WRITE_H

#include <stddef.h>

struct buf;

/* Writes JSON as text (RFC 8259), for the JSON of every message: building Jansson values and
 * dumping them costs three times as much. The bytes are those of Jansson with JSON_COMPACT. */

/* The quoted string; text is UTF-8. */
void json_write_string(struct buf *out, const char *text, size_t len);
/* The name of a member and its colon, after a comma if it is not the first member. */
void json_write_name(struct buf *out, const char *name);
/* A member whose value is a string. */
void json_write_member(struct buf *out, const char *name, const char *text);

#endif
