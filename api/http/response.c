/* Collects the response to a request. mhd_response.c hands it to libmicrohttpd. */
#include "api/http/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/request_state.h"
#include "api/json/json.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#define HEADERS_MAX 4096
#define RETRY_AFTER_S "5"
#define RETRY_AFTER_FULL_S "30" /* a queue needs time to drain */

/* RFC 9110 5.5. A line break in a value would begin a field of the attacker. */
static bool is_field(const char *name, const char *value)
{
	for (const unsigned char *p = (const unsigned char *)value; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			return false;
	return *name != 0;
}

void response_header(struct request *r, const char *name, const char *value)
{
	if (!is_field(name, value)) {
		LOG(LOG_ERROR, "http.header_refused", LOG_S("request", r->id), LOG_S("name", name));
		return;
	}
	r->headers.limit = HEADERS_MAX;
	buf_append(&r->headers, name, strlen(name) + 1);
	buf_append(&r->headers, value, strlen(value) + 1);
}

/* Slow readers must not fill the memory. */
static bool is_too_much(struct request *r, size_t len)
{
	return r->server && len > SHARES_LARGE && !shares_response_fits(r, len);
}

/* take_text: malloc; NULL: out of memory. */
static void deliver_text(struct request *r, unsigned status, const char *content_type,
			 char *take_text, size_t len)
{
	if (r->has_response) {
		LOG(LOG_ERROR, "http.second_response", LOG_S("request", r->id));
		free(take_text);
		return;
	}
	if (is_too_much(r, len)) {
		free(take_text);
		response_problem(r, PROBLEM_UNAVAILABLE, NULL,
				 "Too many large responses are being read. Try again later.");
		return;
	}
	r->has_response = true;
	r->status = take_text ? status : 500;
	r->text = take_text;
	r->text_len = take_text ? len : 0;
	if (r->server)
		r->server->response_bytes += r->text_len;
	if (r->text_len)
		response_header(r, "Content-Type", content_type);
	/* once.c keeps the response in the store before the client gets it. */
	if (r->hold)
		r->hold(r, r->status, r->text_len ? r->text : "", r->text_len, r->hold_arg);
	else
		response_release(r);
}

void response_hold(struct request *r, response_hold_fn *fn, void *arg)
{
	r->hold = fn;
	r->hold_arg = arg;
}

void response_release(struct request *r)
{
	r->is_response_ready = true;
	r->responded_us = clock_mono_us();
	/* Before the response is read, which may take long: others get this memory. */
	request_free_body(r);
	shares_leave(r);
	request_resume(r);
}

void response_json(struct request *r, unsigned status, json_t *take_body)
{
	char *text = json_line(take_body);

	json_decref(take_body);
	if (!text) {
		response_problem(r, PROBLEM_INTERNAL, NULL, NULL);
		return;
	}
	deliver_text(r, status, "application/json", text, strlen(text));
}

void response_json_text(struct request *r, unsigned status, struct buf *take_json)
{
	size_t len;
	char *text;

	buf_char(take_json, '\n');
	len = take_json->len;
	text = buf_give(take_json);
	if (text)
		deliver_text(r, status, "application/json", text, len);
	else
		response_problem(r, PROBLEM_INTERNAL, NULL, "Out of memory.");
}

void response_text(struct request *r, unsigned status, const char *content_type, const char *body,
		   size_t len)
{
	char *text = malloc(len + 1);

	if (!text) {
		response_problem(r, PROBLEM_INTERNAL, NULL, NULL);
		return;
	}
	memcpy(text, body, len);
	text[len] = 0;
	deliver_text(r, status, content_type, text, len);
}

void response_problem(struct request *r, enum problem problem, json_t *take_errors,
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
	if (problem_status(problem) == 503 && problem != PROBLEM_NOT_CONFIGURED)
		response_header(r, "Retry-After", RETRY_AFTER_S);
	if (problem == PROBLEM_QUEUE_FULL)
		response_header(r, "Retry-After", RETRY_AFTER_FULL_S);
	if (problem == PROBLEM_UNAUTHORIZED)
		response_header(r, "WWW-Authenticate", "Bearer");
	/* For the log: the first problem is the reason. */
	if (!r->problem)
		r->problem = problem_slug(problem);
	deliver_text(r, problem_status(problem), "application/problem+json", text, len);
}

void response_err(struct request *r, const struct err *e)
{
	static const enum problem kinds[] = {
		[ERR_NONE] = PROBLEM_INTERNAL,       [ERR_INPUT] = PROBLEM_BAD_REQUEST,
		[ERR_NOT_FOUND] = PROBLEM_NOT_FOUND, [ERR_REFUSED] = PROBLEM_FORBIDDEN,
		[ERR_RETRY] = PROBLEM_UNAVAILABLE,   [ERR_INTERNAL] = PROBLEM_INTERNAL,
	};
	enum problem problem = kinds[e->kind];

	if (problem != PROBLEM_INTERNAL) {
		response_problem(r, problem, NULL, "%s", e->text);
		return;
	}
	/* The client gets the request_id, by which the operator finds this line. */
	LOG(LOG_ERROR, "http.internal", LOG_S("request", r->id), LOG_S("reason", e->text));
	response_problem(r, problem, NULL, NULL);
}

void response_no_content(const struct err *why, void *request)
{
	if (why)
		response_err(request, why);
	else
		response_text(request, 204, "", "", 0);
}
