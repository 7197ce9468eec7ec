#ifndef API_JSON_JSON_CURSOR_H
#define API_JSON_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "api/json/json_reader.h"
#include "server/base/buf.h"

/* A position in a JSON text, and its first failure. For json_reader.c, json_string.c and
 * json_number.c. */

struct json_cursor {
	const char *p, *end;
	struct buf text; /* the last string, when it had escapes */
	struct json_failure *failure;
	size_t values; /* that have begun */
	int depth;     /* containers that are open */
};

/* Skips blanks. Returns the next octet, and leaves the cursor there; 0 at the end. */
static inline char json_cursor_peek(struct json_cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
		c->p++;
	return c->p < c->end ? *c->p : 0;
}

/* Skips blanks and this octet. False: another octet is next. */
static inline bool json_cursor_take(struct json_cursor *c, char octet)
{
	if (json_cursor_peek(c) != octet)
		return false;
	c->p++;
	return true;
}

/* Return false. Only the first failure is kept. `why` says what is wrong at `at`, or at c->p. At
 * the end of the text the failure is always that the text ends too early. */
bool json_cursor_fail_at(struct json_cursor *c, const char *at, const char *why);
bool json_cursor_fail(struct json_cursor *c, const char *why);
bool json_cursor_fail_oom(struct json_cursor *c);

#endif
