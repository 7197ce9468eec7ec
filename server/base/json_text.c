/* Turns any bytes into a JSON string. */
#include "server/base/json_text.h"

#include "server/base/buf.h"
#include "server/base/utf8.h"

json_t *json_text(const char *text, size_t len)
{
	json_t *json = json_stringn(len ? text : "", len);
	struct buf clean = {0};
	size_t i, n;
	uint32_t cp;

	if (json)
		return json;
	for (i = 0; i < len; i += n) {
		n = utf8_next(text + i, len - i, &cp);
		if (n) {
			buf_append(&clean, text + i, n);
		} else {
			buf_str(&clean, "\xEF\xBF\xBD");
			n = 1;
		}
	}
	json = clean.failed ? NULL : json_stringn(buf_text(&clean), clean.len);
	buf_deinit(&clean);
	return json;
}

void json_list_add(json_t **list, json_t *take_item)
{
	if (json_array_append_new(*list, take_item) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}
