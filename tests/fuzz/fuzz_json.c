/* Bodies: the reader of plain JSON takes nothing that Jansson refuses, and reads it alike. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json/json.h"
#include "api/json/json_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_t *body, *plain, *jansson;
	struct err e;

	if (json_parse_body(text, size, &body, &e) < 0) {
		assert(e.kind == ERR_INPUT);
		return 0;
	}
	plain = json_plain(text, size);
	jansson = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	assert(jansson && json_equal(jansson, body));
	assert(!plain || json_equal(plain, jansson));
	json_decref(plain);
	json_decref(jansson);
	json_decref(body);
	return 0;
}
