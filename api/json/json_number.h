#ifndef API_JSON_JSON_NUMBER_H
#define API_JSON_JSON_NUMBER_H

#include <jansson.h>

#include "api/json/json_cursor.h"

/* Numbers of JSON: [ "-" ] int [ "." digits ] [ ( "e" / "E" ) [ "+" / "-" ] digits ]. */

/* Reads a number; the cursor is at its first octet, a digit or a minus sign. NULL: it failed. */
json_t *json_number_read(struct json_cursor *c);

#endif
