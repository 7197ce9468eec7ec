/* One request from its head to its answer. libmicrohttpd calls once when the head is there, for
 * each piece of the body, and once when all of it is; an answer given at the first call closes the
 * connection, as it leaves the body unread. */
#include "api/http/engine.h"

#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

static void suspend(struct request *r)
{
	r->is_suspended = true;
	MHD_suspend_connection(r->mhd);
}

void exchange_resume(struct request *r)
{
	if (!r->server) {
		request_free(r);
	} else if (r->is_suspended) {
		r->is_suspended = false;
		MHD_resume_connection(r->mhd);
		server_wake(r->server);
	}
}

static void answer_no_method(struct request *r, enum router_method kind)
{
	char allow[ROUTER_ALLOW_MAX];

	router_allow(r->match.allowed, allow);
	answer_header(r, "Allow", allow);
	if (kind == ROUTER_METHOD_OPTIONS)
		answer_text(r, MHD_HTTP_NO_CONTENT, "", "", 0);
	else
		answer_problem(r, PROBLEM_METHOD_NOT_ALLOWED, NULL, "Allowed: %s.", allow);
}

/* Where the request goes and who may send it: what can be known before the body. */
static void admit(struct request *r, const char *url, const char *method, const char *version)
{
	enum http_method known = HTTP_GET;
	enum router_method kind = router_method(method, &known);
	enum uri_verdict verdict;
	const char *why;

	snprintf(r->method, sizeof(r->method), "%s", method);
	if (!head_check(r, url, method, version))
		return;
	verdict = uri_parse(&r->uri, r->target, r->target + r->target_len + 1, &why);
	if (verdict == URI_BAD) {
		answer_problem(r, PROBLEM_BAD_REQUEST, NULL, "%s", why);
		return;
	}
	if (verdict == URI_OK)
		routes_find(&r->uri, kind, known, &r->match);
	r->route = r->match.route;
	if (!r->match.allowed)
		answer_problem(r, PROBLEM_NOT_FOUND, NULL, NULL);
	else if (!r->route)
		answer_no_method(r, kind);
	else if (r->route->scope)
		auth_check(r);
	else
		r->is_admitted = true;
}

static const char *why_not(const struct request *r)
{
	if (r->key.scopes & SCOPE_ROOT)
		return "The root key is for projects and keys only: make a key with POST /v1/keys "
		       "and use that.";
	if (r->route->scope == SCOPE_ROOT)
		return "This needs the root key (POSTERN_ROOT_KEY).";
	return "The API key lacks the scope for this.";
}

/* What the key may do, and what the body is said to be. */
static void screen(struct request *r)
{
	uint64_t most = r->route->wants_json ? r->body.limit : BODY_UNWANTED_MAX;

	if (r->route->scope && !(r->key.scopes & r->route->scope))
		answer_problem(r, PROBLEM_FORBIDDEN, NULL, "%s", why_not(r));
	else if (r->is_encoded)
		answer_problem(r, PROBLEM_UNSUPPORTED_TYPE, NULL,
			       "Content-Encoding is not supported.");
	else if (r->route->wants_json && !head_is_json(request_header(r, "Content-Type")))
		answer_problem(r, PROBLEM_UNSUPPORTED_TYPE, NULL,
			       "Send Content-Type: application/json, in UTF-8.");
	else if (r->content_length != UINT64_MAX && r->content_length > most)
		answer_problem(r, PROBLEM_TOO_LARGE, NULL, "At most %llu bytes are taken.",
			       (unsigned long long)most);
	else if (r->has_body && r->server->body_bytes > BODY_TOTAL_MAX)
		answer_problem(r, PROBLEM_NOT_ACCEPTED, NULL, "Too many large requests at once.");
}

static enum MHD_Result enter_body(struct request *r)
{
	if (!r->is_answered && !r->is_admitted) {
		suspend(r);
		return MHD_YES;
	}
	if (!r->is_answered)
		screen(r);
	r->step = STEP_BODY;
	r->connection->phase = CONNECTION_BODY;
	if (!r->is_answered || (!r->has_body && !r->must_close))
		return MHD_YES;
	r->connection->is_left_early = true;
	return answer_send(r);
}

/* A body is work (a mail is made of it), so its handler is not called from within MHD but once the
 * answers that are ready went out: no one's answer waits for the mails that others just sent. */
static void wait_for_turn(struct request *r)
{
	struct http_server *s = r->server;

	r->step = STEP_WAIT;
	r->after = NULL;
	*s->last_waiting = r;
	s->last_waiting = &r->after;
	loop_timer_set(&s->work, 0);
}

static void leave_turn(struct request *r)
{
	struct request **p = &r->server->waiting;

	while (*p != r)
		p = &(*p)->after;
	*p = r->after;
	if (!*p)
		r->server->last_waiting = p;
}

void exchange_work(void *server)
{
	struct http_server *s = server;

	while (s->waiting) {
		struct request *r = s->waiting;

		leave_turn(r);
		r->step = STEP_WORK;
		r->route->handle(r);
	}
}

static enum MHD_Result enter_work(struct request *r)
{
	r->step = STEP_WORK;
	r->connection->phase = CONNECTION_WORK;
	if (!r->is_answered && r->route->wants_json && r->body.len == 0)
		answer_problem(r, PROBLEM_INVALID_JSON, NULL, "The body is empty.");
	if (!r->is_answered && r->route->wants_json)
		wait_for_turn(r);
	else if (!r->is_answered)
		r->route->handle(r);
	if (r->is_answered)
		return answer_send(r);
	suspend(r);
	return MHD_YES;
}

enum MHD_Result exchange_step(struct request *r, const char *url, const char *method,
			      const char *version)
{
	switch (r->step) {
	case STEP_HEAD:
		r->step = STEP_AUTHORISE;
		r->connection->phase = CONNECTION_WORK;
		admit(r, url, method, version);
		return enter_body(r);
	case STEP_AUTHORISE:
		return enter_body(r);
	case STEP_BODY:
		return enter_work(r);
	case STEP_WAIT:
	case STEP_WORK:
		if (r->is_answered)
			return answer_send(r);
		suspend(r);
		return MHD_YES;
	case STEP_SENT:
		break;
	}
	return MHD_YES;
}

/* MHD takes no answer while a body comes in, so this one goes out past it. */
static enum MHD_Result cut(struct request *r, enum problem problem, const char *detail)
{
	r->status = problem_status(problem);
	r->answered_us = clock_mono_us();
	r->connection->is_left_early = true;
	linger_last_words(r->server, r->connection->fd, problem, r->id, detail);
	return MHD_NO;
}

enum MHD_Result exchange_body(struct request *r, const char *bytes, size_t len)
{
	r->received += len;
	r->connection->bytes += len;
	if (r->is_answered)
		return MHD_YES;
	if (r->received > (r->route->wants_json ? r->body.limit : BODY_UNWANTED_MAX))
		return cut(r, PROBLEM_TOO_LARGE, "The body runs over the limit.");
	if (!r->route->wants_json)
		return MHD_YES;
	if (r->server->body_bytes > BODY_TOTAL_MAX)
		return cut(r, PROBLEM_NOT_ACCEPTED, "Too many large requests at once.");
	if (r->body.cap == 0 && r->content_length < BODY_UNWANTED_MAX)
		buf_reserve(&r->body, (size_t)r->content_length);
	buf_append(&r->body, bytes, len);
	if (r->body.failed)
		return cut(r, PROBLEM_NOT_ACCEPTED, "Out of memory.");
	r->server->body_bytes += len;
	return MHD_YES;
}

static void count(const struct request *r)
{
	if (r->status >= 500)
		metric_add(METRIC_REQUESTS_5XX, 1);
	else if (r->status >= 400)
		metric_add(METRIC_REQUESTS_4XX, 1);
	else
		metric_add(METRIC_REQUESTS_2XX, 1);
}

/* What health checks and scrapers ask every few seconds would drown the rest. */
static bool is_routine(const struct request *r)
{
	return r->route && !r->route->scope && r->status < 500;
}

static void log_request(const struct request *r)
{
	enum log_level level = is_routine(r) ? LOG_DEBUG : LOG_INFO;
	struct log_field fields[] = {
		LOG_S("request", r->id),
		LOG_S("method", r->method),
		LOG_S("route", r->route ? r->route->path : "-"),
		LOG_N("status", r->status),
		LOG_N("ms", r->answered_us ? (r->answered_us - r->began_us) / 1000 : 0),
		LOG_N("bytes", r->text_len),
		{NULL, NULL, 0, 0},
		{NULL, NULL, 0, 0},
		{NULL, NULL, 0, 0},
	};

	if (!log_is_on(level))
		return;
	if (r->is_admitted && r->route->scope) {
		fields[6] = (struct log_field)LOG_S("project", r->key.project_id);
		fields[7] = (struct log_field)LOG_S("key", r->key.id);
	}
	log_write(level, "http.request", fields);
}

/* Does the key's lookup or the handler still hold it? */
static bool is_held(const struct request *r)
{
	if (r->is_answered)
		return false;
	return r->step == STEP_WORK || (r->step == STEP_AUTHORISE && !r->is_admitted);
}

void exchange_end(struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

	/* No answer of ours, but one of MHD's (431, 414, a bad chunk). */
	if (!r->status && info)
		r->status = info->http_status;
	if (r->status)
		count(r);
	if (r->status && log_is_on(LOG_INFO))
		log_request(r);
	else if (!r->status)
		LOG(LOG_DEBUG, "http.aborted", LOG_S("request", r->id));
	if (r->step == STEP_WAIT)
		leave_turn(r);
	if (is_held(r))
		request_leave(r);
	else
		request_free(r);
}
