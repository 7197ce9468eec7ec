/* What went wrong, as application/problem+json (RFC 9457). */
#include "api/http/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/json_text.h"
#include "server/base/log.h"

#define RETRY_AFTER_S "5"

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

char *problem_text(enum problem problem, const char *id, const char *detail, json_t *take_errors,
		   size_t *len)
{
	char type[64];
	json_t *body;
	char *text;

	snprintf(type, sizeof(type), "/problems/%s", table[problem].slug);
	body = json_pack("{s:s, s:s, s:i, s:o*, s:s, s:o*}", "type", type, "title",
			 table[problem].title, "status", (int)table[problem].status, "detail",
			 detail && *detail ? json_text(detail, strlen(detail)) : NULL, "request_id",
			 id, "errors", take_errors);
	if (!body)
		return NULL;
	text = answer_line(body);
	json_decref(body);
	*len = text ? strlen(text) : 0;
	return text;
}

void answer_problem(struct request *r, enum problem problem, json_t *take_errors,
		    const char *detail_fmt, ...)
{
	char detail[512] = "";
	size_t len = 0;
	va_list ap;
	char *text;

	if (detail_fmt) {
		va_start(ap, detail_fmt);
		vsnprintf(detail, sizeof(detail), detail_fmt, ap);
		va_end(ap);
	}
	text = problem_text(problem, r->id, detail, take_errors, &len);
	if (table[problem].status == 503)
		answer_header(r, "Retry-After", RETRY_AFTER_S);
	if (problem == PROBLEM_UNAUTHORIZED)
		answer_header(r, "WWW-Authenticate", "Bearer");
	answer_deliver(r, table[problem].status, "application/problem+json", text, len);
}

void answer_err(struct request *r, const struct err *e)
{
	static const enum problem kinds[] = {
		[ERR_NONE] = PROBLEM_INTERNAL,       [ERR_INPUT] = PROBLEM_BAD_REQUEST,
		[ERR_NOT_FOUND] = PROBLEM_NOT_FOUND, [ERR_REFUSED] = PROBLEM_FORBIDDEN,
		[ERR_RETRY] = PROBLEM_UNAVAILABLE,   [ERR_INTERNAL] = PROBLEM_INTERNAL,
	};
	enum problem problem = kinds[e->kind];

	if (problem != PROBLEM_INTERNAL) {
		answer_problem(r, problem, NULL, "%s", e->text);
		return;
	}
	LOG(LOG_ERROR, "http.internal", LOG_S("request", r->id), LOG_S("reason", e->text));
	answer_problem(r, problem, NULL, NULL);
}
