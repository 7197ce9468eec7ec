#ifndef SERVER_STORE_PROJECTS_STORED_JSON_H
#define SERVER_STORE_PROJECTS_STORED_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct resp;

/* Loads JSON that Postern stored. Strings may contain any character, also NUL. */

/* The caller owns the value. NULL: not JSON, or out of memory. */
json_t *stored_json_load(const char *text, size_t len);
/* The same for a text in a reply. */
json_t *stored_json_read(const struct resp *reply);

/* A member of an object as a C string, borrowed from the object; "" when it is no string. A NUL in
 * it ends the string. */
const char *stored_json_text(const json_t *object, const char *name);
/* Copies such a member, truncated to cap bytes with the NUL. */
void stored_json_copy(const json_t *object, const char *name, char *out, size_t cap);
/* A member as a whole number; 0 when it is no number. */
int64_t stored_json_number(const json_t *object, const char *name);

#endif
