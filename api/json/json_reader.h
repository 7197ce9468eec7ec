#ifndef API_JSON_JSON_READER_H
#define API_JSON_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Reads JSON (RFC 8259) into Jansson's values. For 4 KB it takes less than a tenth of the time of
 * json_loadb, which makes several calls for each octet. The values are the same as those of
 * json_loadb(JSON_REJECT_DUPLICATES). */

#define JSON_DEPTH_MAX 16
/* A parsed value takes some 100 octets, even if its text is short. A send has about 10,000 values
 * at most. */
#define JSON_VALUES_MAX 20000

struct json_failure {
	const char *at;    /* the octet in the text that is wrong, or its end */
	const char *why;   /* what is wrong there; NULL: out of memory, or has_too_many is true */
	bool has_too_many; /* more than JSON_VALUES_MAX values */
};

/* Reads an object or an array. NULL: *failure is set. */
json_t *json_reader_read(const char *text, size_t len, struct json_failure *failure);

#endif
