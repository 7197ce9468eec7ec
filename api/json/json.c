/* Parses request bodies as strict JSON. */
#include "api/json/json.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/json_reader.h"

/* Lines and columns from 1, columns in characters. */
static int explain(const char *text, const struct json_failure *failure, struct err *e)
{
	size_t line = 1, column = 1;

	if (failure->has_too_many)
		return err_set(e, ERR_REFUSED, "The request body has more than %d JSON values.",
			       JSON_VALUES_MAX);
	if (!failure->why)
		return err_oom(e);
	for (const char *p = text; p < failure->at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xC0) != 0x80) {
			column++;
		}
	}
	return err_set(e, ERR_INPUT, "Line %zu, column %zu: %s", line, column, failure->why);
}

int json_parse_body(const char *text, size_t len, json_t **out, struct err *e)
{
	struct json_failure failure;

	if (len == 0)
		return err_set(e, ERR_INPUT, "The request body is empty.");
	*out = json_reader_read(text, len, &failure);
	return *out ? 0 : explain(text, &failure, e);
}

char *json_line(const json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	if (!line) {
		free(text);
		return NULL;
	}
	line[len] = '\n';
	line[len + 1] = 0;
	return line;
}
