/* Mails of anyone, as the test inbox shows them. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "server/mail/mail_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *view = mail_view((const char *)data, size);
	char *text;

	assert(view);
	assert(json_object_size(view) == 5);
	assert(json_string_length(json_object_get(view, "subject")) <= 3 * size);
	assert(json_string_length(json_object_get(view, "text")) <= 3 * size);
	text = json_dumps(view, JSON_COMPACT);
	assert(text);
	free(text);
	json_decref(view);
	return 0;
}
