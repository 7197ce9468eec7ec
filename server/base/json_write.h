#ifndef SERVER_BASE_JSON_WRITE_H
#define SERVER_BASE_JSON_WRITE_H

#include <stddef.h>

struct buf;

/* JSON as text (RFC 8259), for what is written for every message: values that are built only to be
 * dumped cost three times as much. The bytes are those that Jansson would write (JSON_COMPACT). */

/* The quoted string; text is UTF-8. */
void json_write_string(struct buf *out, const char *text, size_t len);
/* "name": of a member, and the comma before it unless it is the first one. */
void json_write_name(struct buf *out, const char *name);
/* A member that is a string. */
void json_write_member(struct buf *out, const char *name, const char *text);

#endif
