/* Bodies: what the reader accepts, Jansson reads alike. What it refuses within the limits, Jansson
 * refuses, too. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_t *body,
		*jansson = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	struct err e;

	if (json_parse_body(text, size, &body, &e) == 0) {
		assert(jansson && json_equal(jansson, body));
		json_decref(body);
	} else {
		assert(e.kind == ERR_INPUT || e.kind == ERR_REFUSED);
		/* Jansson takes a NUL after a number for the end of the number. */
		assert(!jansson || e.kind == ERR_REFUSED || memchr(text, 0, size) ||
		       strstr(e.text, "nested") || strstr(e.text, "u0000") ||
		       strstr(e.text, "too many digits"));
	}
	json_decref(jansson);
	return 0;
}
