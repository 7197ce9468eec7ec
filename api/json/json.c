/* Bodies to JSON, strictly. */
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
	return err_set(e, ERR_INPUT, "line %zu, column %zu: nested deeper than %d levels", line,
		       column, JSON_DEPTH_MAX);
}

/* Behind the quote that ends the string whose first octet is p. */
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
		p = quote + 1; /* an escaped one */
	}
}

/* Counts levels before the parser sees the text, as it recurses once a level. */
static int check_depth(const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *p = text;
	int depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '"')
			p = skip_string(p, end);
		else if (c == ']' || c == '}')
			depth--;
		else if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			return too_deep(text, p - 1, e);
	}
	return 0;
}

/* Jansson's sentence, less what it quotes from the body. */
static int fault(const json_error_t *why, struct err *e)
{
	const char *near = strstr(why->text, " near ");
	size_t len = near ? (size_t)(near - why->text) : strlen(why->text);

	if (json_error_code(why) == json_error_out_of_memory)
		return err_oom(e);
	if (json_error_code(why) == json_error_duplicate_key)
		return err_set(e, ERR_INPUT,
			       "line %d, column %d: an object has the same name twice", why->line,
			       why->column);
	if (json_error_code(why) == json_error_null_character ||
	    json_error_code(why) == json_error_null_byte_in_key)
		return err_set(e, ERR_INPUT, "line %d, column %d: \\u0000 is not allowed",
			       why->line, why->column);
	if (json_error_code(why) == json_error_invalid_utf8)
		return err_set(e, ERR_INPUT, "the body is not UTF-8");
	return err_set(e, ERR_INPUT, "line %d, column %d: %.*s", why->line, why->column, (int)len,
		       why->text);
}

int json_parse_body(const char *text, size_t len, json_t **out, struct err *e)
{
	json_error_t why;
	json_t *json;

	if (len == 0)
		return err_set(e, ERR_INPUT, "the body is empty");
	if (check_depth(text, len, e) < 0)
		return -1;
	json = json_plain(text, len);
	if (!json)
		json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return fault(&why, e);
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
