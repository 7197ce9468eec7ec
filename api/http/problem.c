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
	[PROBLEM_INVALID_JSON] = {400, "invalid-json", "The request body is not valid JSON"},
	[PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request is malformed"},
	[PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid API key is required"},
	[PROBLEM_FORBIDDEN] = {403, "forbidden", "The API key does not allow this"},
	[PROBLEM_NOT_FOUND] = {404, "not-found", "Not found"},
	[PROBLEM_METHOD_NOT_ALLOWED] = {405, "method-not-allowed", "Method not allowed"},
	[PROBLEM_TIMEOUT] = {408, "timeout", "The request did not arrive in time"},
	[PROBLEM_CONFLICT] = {409, "conflict", "Conflict with the current state"},
	[PROBLEM_TOO_LARGE] = {413, "too-large", "The request body is too large"},
	[PROBLEM_URI_TOO_LONG] = {414, "uri-too-long", "The request target is too long"},
	[PROBLEM_UNSUPPORTED_TYPE] = {415, "unsupported-type",
				      "The request body must be application/json"},
	[PROBLEM_VALIDATION] = {422, "validation", "The request body has errors"},
	[PROBLEM_IDEMPOTENCY_MISMATCH] = {422, "idempotency-mismatch",
					  "The Idempotency-Key was used with another request"},
	[PROBLEM_HEAD_TOO_LARGE] = {431, "head-too-large", "The request headers are too large"},
	[PROBLEM_INTERNAL] = {500, "internal", "Internal error"},
	[PROBLEM_NOT_ACCEPTED] = {503, "not-accepted", "Nothing was stored; try again"},
	[PROBLEM_OUTCOME_UNKNOWN] = {503, "outcome-unknown",
				     "The outcome is unknown; it may have been stored"},
	[PROBLEM_UNAVAILABLE] = {503, "unavailable", "Temporarily unavailable"},
	[PROBLEM_VERSION] = {505, "http-version", "HTTP version not supported"},
};

unsigned problem_status(enum problem problem)
{
	return table[problem].status;
}

const char *problem_slug(enum problem problem)
{
	return table[problem].slug;
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
