#ifndef SERVER_STORE_PROJECTS_STORED_JSON_H
#define SERVER_STORE_PROJECTS_STORED_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Loads JSON that Postern stored. Strings may contain any character, also NUL. */

/* The caller owns the value. NULL: not JSON, or out of memory. */
json_t *stored_json_load(const char *text, size_t len);
/* The same for a row of a list (resp.h): 0, RESP_ROW_SKIPPED (not JSON), or RESP_ROW_OOM. */
int stored_json_row(const char *text, size_t len, json_t **json);

/* A member of an object as a C string, borrowed from the object; "" when it is no string. A NUL in
 * it ends the string. */
const char *stored_json_text(const json_t *object, const char *name);
/* Copies such a member, truncated to cap bytes with the NUL. */
void stored_json_copy(const json_t *object, const char *name, char *out, size_t cap);
/* A member as a whole number; 0 when it is no number. */
int64_t stored_json_number(const json_t *object, const char *name);

#endif
