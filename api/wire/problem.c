/* Errors as application/problem+json (RFC 9457). */
#include "api/wire/problem.h"

#include <stdio.h>
#include <string.h>

#include "api/json/json.h"
#include "server/base/buf.h"
#include "server/base/json_text.h"

static const struct {
	unsigned status;
	const char *slug;
	const char *title;
	const char *meaning;
} table[] = {
	[PROBLEM_INVALID_JSON] = {400, "invalid-json", "The request body is not valid JSON",
				  "The request body cannot be read as JSON: a syntax error, a name "
				  "twice in an object, a NUL, bytes that are not UTF-8, or more "
				  "than 16 levels. The detail says where."},
	[PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request is malformed",
				 "A header, the query or the framing of the request is wrong. The "
				 "detail says what."},
	[PROBLEM_UNAUTHORIZED] =
		{401, "unauthorized", "A valid API key is required",
		 "The request has no API key, or the key is not valid. Send \"Authorization: "
		 "Bearer pn_...\". The response never says which part is wrong."},
	[PROBLEM_FORBIDDEN] = {403, "forbidden", "The API key does not allow this",
			       "The API key is valid, but it does not allow this: it lacks a "
			       "scope, or has the wrong mode. The detail names the scope."},
	[PROBLEM_NOT_FOUND] = {404, "not-found", "Not found",
			       "The path does not exist, or your project has no such object in the "
			       "mode (live or test) of this key."},
	[PROBLEM_METHOD_NOT_ALLOWED] =
		{405, "method-not-allowed", "Method not allowed",
		 "The path exists, but not with this method. The header Allow lists the methods."},
	[PROBLEM_TIMEOUT] = {408, "timeout", "The request did not arrive in time",
			     "The request did not arrive in time. Send it again."},
	[PROBLEM_CONFLICT] = {409, "conflict", "Conflict with the current state",
			      "The state of the object does not allow this, or a request with the "
			      "same Idempotency-Key is being processed. The detail says which."},
	[PROBLEM_TOO_LARGE] =
		{413, "too-large", "The request body is too large",
		 "The request body is over the limit: 16 MB for a message (a setting), 64 KB for "
		 "other requests; or it has more than 20,000 JSON values."},
	[PROBLEM_URI_TOO_LONG] = {414, "uri-too-long", "The request target is too long",
				  "The request target has more than 8,192 octets."},
	[PROBLEM_UNSUPPORTED_TYPE] =
		{415, "unsupported-type", "The request body must be application/json",
		 "Send the body with Content-Type: application/json, not compressed."},
	[PROBLEM_VALIDATION] =
		{422, "validation", "The request body has errors",
		 "The request body is JSON, but fields are wrong. The list errors has each of them "
		 "(at "
		 "most 100) with a JSON pointer, a code and a text. Nothing was done."},
	[PROBLEM_IDEMPOTENCY_MISMATCH] =
		{422, "idempotency-mismatch", "The Idempotency-Key was used with another request",
		 "The Idempotency-Key was used before, with other bytes or another "
		 "path. Use a new key for a new request. Nothing was done."},
	[PROBLEM_QUEUE_FULL] =
		{429, "queue-full", "The project has too much mail in the store",
		 "The project has reached its limit of messages that are not finished, or of bytes "
		 "that its messages take in the store. The detail says which, and how much it "
		 "has. Nothing was stored. Send the request again after the seconds in "
		 "Retry-After, or ask the operator for a higher limit."},
	[PROBLEM_HEAD_TOO_LARGE] = {431, "head-too-large", "The request headers are too large",
				    "Request line and headers have more than 16,384 octets."},
	[PROBLEM_INTERNAL] =
		{500, "internal", "Internal error",
		 "An error of the server. The log has the reason, with this request_id."},
	[PROBLEM_NOT_ACCEPTED] =
		{503, "not-accepted", "Nothing was stored; try again",
		 "Nothing was stored. Send the request again after the seconds in Retry-After."},
	[PROBLEM_OUTCOME_UNKNOWN] = {503, "outcome-unknown",
				     "The outcome is unknown; it may have been stored",
				     "The request may have been stored or not. Send it again with "
				     "the same Idempotency-Key to find out."},
	[PROBLEM_UNAVAILABLE] =
		{503, "unavailable", "Temporarily unavailable",
		 "The server cannot do this now. Try again after the seconds in Retry-After."},
	[PROBLEM_VERSION] = {505, "http-version", "HTTP version not supported",
			     "Send the request as HTTP/1.1."},
	[PROBLEM_NOT_CONFIGURED] = {503, "not-configured", "The installation lacks a setting",
				    "The operator of this Postern must set it. The detail names "
				    "the setting. Do not try again before that."},
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

const char *problem_meaning(enum problem problem)
{
	return table[problem].meaning;
}

int problem_find(const char *slug, enum problem *problem)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].slug, slug) == 0) {
			*problem = (enum problem)i;
			return 0;
		}
	}
	return -1;
}

/* The slug as an identifier: "not_found". */
static void write_code(enum problem problem, char out[PROBLEM_CODE_MAX])
{
	snprintf(out, PROBLEM_CODE_MAX, "%s", table[problem].slug);
	for (char *p = out; *p; p++)
		if (*p == '-')
			*p = '_';
}

/* The first word is left as it is if it is a name: `cursor`, redis://, 2026. */
static bool begins_with_word(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	return len > 0 && (text[len] == ' ' || text[len] == ',' || text[len] == 0);
}

static json_t *sentence(const char *detail)
{
	size_t len = detail ? strlen(detail) : 0;
	struct buf text = {0};
	json_t *json;

	if (len == 0)
		return NULL;
	buf_append(&text, detail, len);
	if (!strchr(".!?", detail[len - 1]))
		buf_char(&text, '.');
	if (!text.failed && begins_with_word(detail))
		text.data[0] = (char)(detail[0] - 'a' + 'A');
	json = text.failed ? NULL : json_text(text.data, text.len);
	buf_deinit(&text);
	return json;
}

char *problem_text(enum problem problem, const char *request_id, const char *detail,
		   json_t *take_errors, size_t *len)
{
	char type[64], code[PROBLEM_CODE_MAX];
	json_t *body;
	char *text;

	snprintf(type, sizeof(type), "/problems/%s", table[problem].slug);
	write_code(problem, code);
	body = json_pack("{s:s, s:s, s:s, s:i, s:o*, s:s, s:o*}", "type", type, "code", code,
			 "title", table[problem].title, "status", (int)table[problem].status,
			 "detail", sentence(detail), "request_id", request_id, "errors",
			 take_errors);
	if (!body)
		return NULL;
	text = json_line(body);
	json_decref(body);
	*len = text ? strlen(text) : 0;
	return text;
}
