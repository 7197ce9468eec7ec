#ifndef API_JSON_JSON_STRING_H
#define API_JSON_JSON_STRING_H

#include "api/json/json_cursor.h"

/* Strings of JSON: quote *( octet from 0x20 on, in UTF-8 / "\" escape ) quote. */

struct json_string {
	const char *text;
	size_t len;
};

/* Reads a string; the cursor is after its first quote. *out points into the JSON text, or into
 * c->text until the next string is read. False: it failed. */
bool json_string_read(struct json_cursor *c, struct json_string *out);

#endif
