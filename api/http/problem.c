/* Errors as application/problem+json (RFC 9457). */
#include "api/http/problem.h"

#include <stdio.h>
#include <string.h>

#include "api/json/json.h"
#include "server/base/json_text.h"

static const struct {
	unsigned status;
	const char *slug;
	const char *title;
} table[] = {
	[PROBLEM_INVALID_JSON] = {400, "invalid-json", "The body cannot be read as JSON"},
	[PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request cannot be understood"},
	[PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid API key is needed"},
	[PROBLEM_FORBIDDEN] = {403, "forbidden", "The API key may not do this"},
	[PROBLEM_NOT_FOUND] = {404, "not-found", "There is no such thing"},
	[PROBLEM_METHOD_NOT_ALLOWED] = {405, "method-not-allowed",
					"The method is not allowed here"},
	[PROBLEM_CONFLICT] = {409, "conflict", "It is not in a state for this"},
	[PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large"},
	[PROBLEM_UNSUPPORTED_TYPE] = {415, "unsupported-type", "The body must be application/json"},
	[PROBLEM_VALIDATION] = {422, "validation", "The body has faults"},
	[PROBLEM_IDEMPOTENCY_MISMATCH] = {422, "idempotency-mismatch",
					  "The Idempotency-Key was used with another request"},
	[PROBLEM_INTERNAL] = {500, "internal", "The server failed"},
	[PROBLEM_NOT_ACCEPTED] = {503, "not-accepted", "Nothing was accepted; try again"},
	[PROBLEM_OUTCOME_UNKNOWN] = {503, "outcome-unknown", "It may have been accepted or not"},
	[PROBLEM_UNAVAILABLE] = {503, "unavailable", "This cannot be answered now"},
	[PROBLEM_TIMEOUT] = {408, "timeout", "The request did not arrive in time"},
};

unsigned problem_status(enum problem problem)
{
	return table[problem].status;
}

const char *problem_title(enum problem problem)
{
	return table[problem].title;
}

char *problem_text(enum problem problem, const char *request_id, const char *detail,
		   json_t *take_errors, size_t *len)
{
	char type[64];
	json_t *body;
	char *text;

	snprintf(type, sizeof(type), "/problems/%s", table[problem].slug);
	body = json_pack("{s:s, s:s, s:i, s:o*, s:s, s:o*}", "type", type, "title",
			 table[problem].title, "status", (int)table[problem].status, "detail",
			 detail && *detail ? json_text(detail, strlen(detail)) : NULL, "request_id",
			 request_id, "errors", take_errors);
	if (!body)
		return NULL;
	text = json_line(body);
	json_decref(body);
	*len = text ? strlen(text) : 0;
	return text;
}
