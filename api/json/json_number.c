/* Reads numbers of JSON. */
#include "api/json/json_number.h"

#define DIGITS_MAX 18  /* fit into 63 bits */
#define NUMBER_MAX 100 /* octets */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* The end of the number that begins at c->p; NULL: there is none. */
static const char *number_end(const struct json_cursor *c)
{
	const char *p = c->p + (*c->p == '-'), *from = p;

	p = skip_digits(p, c->end);
	if (p == from || (*from == '0' && p - from > 1))
		return NULL;
	if (p < c->end && *p == '.') {
		from = ++p;
		p = skip_digits(p, c->end);
		if (p == from)
			return NULL;
	}
	if (p < c->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < c->end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = skip_digits(p, c->end);
		if (p == from)
			return NULL;
	}
	return p;
}

/* By Jansson, which does not depend on the locale. */
static json_t *read_any(struct json_cursor *c)
{
	const char *from = c->p, *end = number_end(c);
	json_t *number;

	if (!end) {
		json_cursor_fail(c, "this is not a JSON number");
		return NULL;
	}
	number = end - from > NUMBER_MAX
			 ? NULL
			 : json_loadb(from, (size_t)(end - from), JSON_DECODE_ANY, NULL);
	if (!number)
		json_cursor_fail(c, "the number is too large, or has too many digits");
	c->p = end;
	return number;
}

json_t *json_number_read(struct json_cursor *c)
{
	const char *p = c->p;
	json_int_t value = 0;
	json_t *number;

	while (p < c->end && is_digit(*p) && p - c->p < DIGITS_MAX)
		value = value * 10 + (*p++ - '0');
	if (*c->p == '-' || (p - c->p > 1 && *c->p == '0') ||
	    (p < c->end && (is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E')))
		return read_any(c);
	c->p = p;
	number = json_integer(value);
	if (!number)
		json_cursor_fail_oom(c);
	return number;
}
