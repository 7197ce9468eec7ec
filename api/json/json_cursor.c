/* Keeps what is wrong with a JSON text. */
#include "api/json/json_cursor.h"

bool json_cursor_fail_at(struct json_cursor *c, const char *at, const char *why)
{
	if (!c->failure->at)
		*c->failure = (struct json_failure){
			.at = at, .why = at < c->end ? why : "the text ends too early"};
	return false;
}

bool json_cursor_fail(struct json_cursor *c, const char *why)
{
	return json_cursor_fail_at(c, c->p, why);
}

bool json_cursor_fail_oom(struct json_cursor *c)
{
	if (!c->failure->at)
		*c->failure = (struct json_failure){.at = c->p};
	return false;
}
