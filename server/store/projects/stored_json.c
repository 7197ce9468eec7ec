/* Loads JSON that Postern stored. */
#include "server/store/projects/stored_json.h"

#include <errno.h>
#include <stdio.h>

#include "server/redis/resp.h"

json_t *stored_json_load(const char *text, size_t len)
{
	return json_loadb(text, len, JSON_ALLOW_NUL, NULL);
}

/* Jansson reports an allocation that failed as a wrong text, or not at all. malloc sets errno. */
int stored_json_row(const char *text, size_t len, json_t **json)
{
	errno = 0;
	*json = stored_json_load(text, len);
	if (*json)
		return 0;
	return errno == ENOMEM ? RESP_ROW_OOM : RESP_ROW_SKIPPED;
}

const char *stored_json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

void stored_json_copy(const json_t *object, const char *name, char *out, size_t cap)
{
	snprintf(out, cap, "%s", stored_json_text(object, name));
}

int64_t stored_json_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	double real = json_real_value(value);

	if (json_is_integer(value))
		return json_integer_value(value);
	return real > -9e18 && real < 9e18 ? (int64_t)real : 0; /* Lua wrote it as 1e+15 */
}
