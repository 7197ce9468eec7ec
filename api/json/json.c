/* Parses request bodies as strict JSON. */
#include "api/json/json.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/json_plain.h"

/* Lines from 1, columns in octets from 1. */
static int too_deep(const char *text, const char *at, struct err *e)
{
	size_t line = 1, column = 1;

	for (const char *p = text; p < at; p++) {
		column++;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(e, ERR_INPUT, "Line %zu, column %zu: nested deeper than %d levels", line,
		       column, JSON_DEPTH_MAX);
}

/* The end of the string that begins at p: after its closing quote. */
static const char *skip_string(const char *p, const char *end)
{
	for (;;) {
		const char *quote = memchr(p, '"', (size_t)(end - p)), *slash = quote;

		if (!quote)
			return end;
		while (slash > p && slash[-1] == '\\')
			slash--;
		if ((quote - slash) % 2 == 0)
			return quote + 1;
		p = quote + 1; /* an escaped quote */
	}
}

/* Called before the parser, which recurses once for each level and allocates for each value. Each
 * comma and each container begins a value. */
static int check_size(const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *p = text;
	size_t values = 0;
	int depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '"')
			p = skip_string(p, end);
		values += c == ',' || c == '[' || c == '{';
		depth -= c == ']' || c == '}';
		if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			return too_deep(text, p - 1, e);
	}
	if (values > JSON_VALUES_MAX)
		return err_set(e, ERR_REFUSED, "The request body has more than %d JSON values.",
			       JSON_VALUES_MAX);
	return 0;
}

/* Jansson's text without the part that quotes the body. */
static int explain_error(const json_error_t *why, struct err *e)
{
	const char *near = strstr(why->text, " near ");
	size_t len = near ? (size_t)(near - why->text) : strlen(why->text);

	if (json_error_code(why) == json_error_out_of_memory)
		return err_oom(e);
	if (json_error_code(why) == json_error_duplicate_key)
		return err_set(e, ERR_INPUT,
			       "Line %d, column %d: an object has the same name twice", why->line,
			       why->column);
	if (json_error_code(why) == json_error_null_character ||
	    json_error_code(why) == json_error_null_byte_in_key)
		return err_set(e, ERR_INPUT, "Line %d, column %d: \\u0000 is not allowed",
			       why->line, why->column);
	if (json_error_code(why) == json_error_invalid_utf8)
		return err_set(e, ERR_INPUT, "The request body is not UTF-8.");
	return err_set(e, ERR_INPUT, "Line %d, column %d: %.*s", why->line, why->column, (int)len,
		       why->text);
}

int json_parse_body(const char *text, size_t len, json_t **out, struct err *e)
{
	json_error_t why;
	json_t *json;

	if (len == 0)
		return err_set(e, ERR_INPUT, "The request body is empty.");
	if (check_size(text, len, e) < 0)
		return -1;
	json = json_plain(text, len);
	if (!json)
		json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return explain_error(&why, e);
	*out = json;
	return 0;
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
