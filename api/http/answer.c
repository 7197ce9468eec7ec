/* The answer to a request: collected here, handed to libmicrohttpd when it asks. */
#include "api/http/engine.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"

#define HEADERS_MAX 4096

static bool is_header(const char *name, const char *value)
{
	for (const unsigned char *p = (const unsigned char *)value; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			return false;
	return *name != 0;
}

void answer_header(struct request *r, const char *name, const char *value)
{
	if (!is_header(name, value)) {
		LOG(LOG_ERROR, "http.header_refused", LOG_S("request", r->id), LOG_S("name", name));
		return;
	}
	r->headers.limit = HEADERS_MAX;
	buf_append(&r->headers, name, strlen(name) + 1);
	buf_append(&r->headers, value, strlen(value) + 1);
}

void answer_deliver(struct request *r, unsigned status, const char *content_type, char *take_text,
		    size_t len)
{
	if (r->is_answered) {
		LOG(LOG_ERROR, "http.answered_twice", LOG_S("request", r->id));
		free(take_text);
		return;
	}
	r->is_answered = true;
	r->answered_us = clock_mono_us();
	r->status = take_text ? status : 500;
	r->text = take_text;
	r->text_len = take_text ? len : 0;
	if (r->text_len)
		answer_header(r, "Content-Type", content_type);
	exchange_resume(r);
}

char *answer_line(const json_t *body)
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

void answer_json(struct request *r, unsigned status, json_t *take_body)
{
	char *text = answer_line(take_body);

	json_decref(take_body);
	if (!text) {
		answer_problem(r, PROBLEM_INTERNAL, NULL, NULL);
		return;
	}
	answer_deliver(r, status, "application/json", text, strlen(text));
}

void answer_json_text(struct request *r, unsigned status, struct buf *take_json)
{
	size_t len;
	char *text;

	buf_char(take_json, '\n');
	len = take_json->len;
	text = buf_give(take_json);
	if (text)
		answer_deliver(r, status, "application/json", text, len);
	else
		answer_problem(r, PROBLEM_INTERNAL, NULL, "out of memory");
}

void answer_text(struct request *r, unsigned status, const char *content_type, const char *body,
		 size_t len)
{
	char *text = malloc(len + 1);

	if (!text) {
		answer_problem(r, PROBLEM_INTERNAL, NULL, NULL);
		return;
	}
	memcpy(text, body, len);
	text[len] = 0;
	answer_deliver(r, status, content_type, text, len);
}

static void add_headers(struct request *r, struct MHD_Response *response)
{
	const char *p = buf_text(&r->headers), *end = p + r->headers.len;

	while (p < end) {
		const char *value = p + strlen(p) + 1;

		MHD_add_response_header(response, p, value);
		p = value + strlen(value) + 1;
	}
	MHD_add_response_header(response, "X-Request-Id", r->id);
	if (r->route && r->route->scope)
		MHD_add_response_header(response, "Cache-Control", "no-store");
	if (r->must_close || r->server->is_draining)
		MHD_add_response_header(response, "Connection", "close");
}

enum MHD_Result answer_send(struct request *r)
{
	enum MHD_Result queued;
	struct MHD_Response *response;

	if (r->headers.failed) {
		LOG(LOG_ERROR, "http.headers_too_long", LOG_S("request", r->id));
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(r->text_len, r->text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	r->text = NULL;
	add_headers(r, response);
	r->step = STEP_SENT;
	r->connection->phase = CONNECTION_SENDING;
	r->connection->since_ms = r->answered_us / 1000;
	r->connection->bytes = r->text_len;
	queued = MHD_queue_response(r->mhd, r->status, response);
	MHD_destroy_response(response);
	return queued;
}
