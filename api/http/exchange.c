/* One request from its head to its response. libmicrohttpd calls once when the head has arrived,
 * once for each piece of the body, and once when the body is complete. A response queued at the
 * first call leaves the body unread, so MHD closes the connection after it. */
#include "api/http/exchange.h"

#include <stdio.h>
#include <string.h>

#include "api/http/response.h"
#include "api/http/auth.h"
#include "api/http/head.h"
#include "api/http/linger.h"
#include "api/http/request_log.h"
#include "api/http/mhd_response.h"
#include "server/base/clock.h"

#define LOOP_TURN_BYTES ((size_t)1 << 20) /* of bodies whose handlers are called in a loop turn */

static uint64_t body_max(const struct request *r)
{
	return r->route->body == BODY_LARGE ? r->body.limit : ROUTE_SMALL_MAX;
}

static bool wants_json(const struct request *r)
{
	return r->route->body == BODY_SMALL || r->route->body == BODY_LARGE;
}

static void refuse_method(struct request *r, enum router_method kind)
{
	char allow[ROUTER_ALLOW_MAX];

	router_allow(r->match.allowed, allow);
	response_header(r, "Allow", allow);
	if (kind == ROUTER_METHOD_OPTIONS)
		response_text(r, MHD_HTTP_NO_CONTENT, "", "", 0);
	else
		response_problem(r, PROBLEM_METHOD_NOT_ALLOWED, NULL, "Allowed: %s.", allow);
}

/* All checks that need only the head: framing, target, route, key. */
static void check_head(struct request *r, const char *url, const char *method, const char *version)
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
		response_problem(r, PROBLEM_BAD_REQUEST, NULL, "%s", why);
		return;
	}
	if (verdict == URI_TOO_LONG) {
		response_problem(r, PROBLEM_URI_TOO_LONG, NULL, "At most %d octets are allowed.",
				 URI_MAX);
		return;
	}
	if (verdict == URI_OK)
		router_lookup(r->server->routes, &r->uri, kind, known, &r->match);
	r->route = r->match.route;
	if (!r->match.allowed)
		response_problem(r, PROBLEM_NOT_FOUND, NULL,
				 "The path does not exist, or an id in it has the wrong form.");
	else if (!r->route)
		refuse_method(r, kind);
	else if (r->route->scope)
		auth_check(r);
	else
		r->is_admitted = true;
}

static void put_scopes(struct buf *out, unsigned scopes, const char *between)
{
	static const char *const names[] = {"send", "read", "manage"};
	const char *before = "";

	for (unsigned i = 0; i < 3; i++) {
		if (!(scopes & 1u << i))
			continue;
		buf_fmt(out, "%s`%s`", before, names[i]);
		before = between;
	}
}

static void refuse_scope(struct request *r)
{
	struct buf needed = {0}, had = {0};

	put_scopes(&needed, r->route->scope, " or ");
	put_scopes(&had, r->key.scopes, ", ");
	if (r->key.scopes & SCOPE_ROOT)
		response_problem(r, PROBLEM_FORBIDDEN, NULL,
				 "The root key is only for projects and keys. Create a key with "
				 "POST /v1/keys and use that key.");
	else if (r->route->scope == SCOPE_ROOT)
		response_problem(r, PROBLEM_FORBIDDEN, NULL,
				 "This needs the root key (POSTERN_ROOT_KEY).");
	else
		response_problem(r, PROBLEM_FORBIDDEN, NULL,
				 "This needs the scope %s. The key has %s.", buf_text(&needed),
				 had.len ? buf_text(&had) : "none");
	buf_deinit(&needed);
	buf_deinit(&had);
}

static void check_scope_and_body(struct request *r)
{
	uint64_t most = body_max(r);

	if (r->route->scope && !(r->key.scopes & r->route->scope))
		refuse_scope(r);
	else if (r->is_encoded)
		response_problem(r, PROBLEM_UNSUPPORTED_TYPE, NULL,
				 "Content-Encoding is not supported.");
	else if (wants_json(r) && !head_is_json(request_header(r, "Content-Type")))
		response_problem(r, PROBLEM_UNSUPPORTED_TYPE, NULL,
				 "Send Content-Type: application/json, in UTF-8.");
	else if (r->content_length != UINT64_MAX && r->content_length > most)
		response_problem(r, PROBLEM_TOO_LARGE, NULL, "At most %llu octets are allowed.",
				 (unsigned long long)most);
}

static enum MHD_Result enter_body(struct request *r)
{
	if (!r->is_response_ready && !r->is_admitted) {
		request_suspend(r);
		return MHD_YES;
	}
	if (!r->is_response_ready)
		check_scope_and_body(r);
	r->step = STEP_BODY;
	peer_enter(r->peer, PEER_BODY, r->began_us / 1000);
	if (!r->is_response_ready || (!r->has_body && !r->must_close))
		return MHD_YES;
	r->peer->is_left_early = true;
	return mhd_response_queue(r);
}

/* A handler with a body does much work (it builds a mail). It runs after MHD has sent all ready
 * responses, so a burst of requests does not delay finished ones. */
static void join_queue(struct request *r)
{
	struct http_server *s = r->server;

	r->step = STEP_WAIT;
	r->after = NULL;
	*s->last_waiting = r;
	s->last_waiting = &r->after;
	loop_timer_set(&s->work, 0);
}

static void leave_queue(struct request *r)
{
	struct request **p = &r->server->waiting;

	while (*p != r)
		p = &(*p)->after;
	*p = r->after;
	if (!*p)
		r->server->last_waiting = p;
}

void exchange_start(struct request *r)
{
	if (wants_json(r) || r->shares)
		join_queue(r);
	else
		r->route->handle(r);
}

/* When a large request ends at once, the next one that waits for its turn joins the queue. So the
 * octets of one loop turn have a limit: sockets and Redis must not wait for all of them. */
void exchange_work(void *server)
{
	struct http_server *s = server;
	size_t bytes = 0;

	while (s->waiting && bytes < LOOP_TURN_BYTES) {
		struct request *r = s->waiting;

		leave_queue(r);
		r->step = STEP_WORK;
		bytes += r->body.len;
		r->route->handle(r);
	}
	if (s->waiting)
		loop_timer_set(&s->work, 0);
}

static enum MHD_Result enter_work(struct request *r)
{
	r->step = STEP_WORK;
	peer_enter(r->peer, PEER_WORK, r->began_us / 1000);
	if (!r->is_response_ready && wants_json(r) && r->body.len == 0)
		response_problem(r, PROBLEM_INVALID_JSON, NULL, "The request body is empty.");
	if (!r->is_response_ready && shares_enter(r))
		exchange_start(r);
	if (r->is_response_ready)
		return mhd_response_queue(r);
	request_suspend(r);
	return MHD_YES;
}

enum MHD_Result exchange_step(struct request *r, const char *url, const char *method,
			      const char *version)
{
	switch (r->step) {
	case STEP_HEAD:
		r->step = STEP_AUTHORISE;
		peer_enter(r->peer, PEER_WORK, r->began_us / 1000);
		check_head(r, url, method, version);
		return enter_body(r);
	case STEP_AUTHORISE:
		return enter_body(r);
	case STEP_BODY:
		return enter_work(r);
	case STEP_TURN:
	case STEP_WAIT:
	case STEP_WORK:
		if (r->is_response_ready)
			return mhd_response_queue(r);
		request_suspend(r);
		return MHD_YES;
	case STEP_SENT:
		break;
	}
	return MHD_YES;
}

/* MHD accepts no response while a body arrives, so this one is written directly to the socket. */
static enum MHD_Result cut_body(struct request *r, enum problem problem, const char *detail)
{
	r->status = problem_status(problem);
	r->responded_us = clock_mono_us();
	r->peer->is_left_early = true;
	linger_last_words(r->server, r->peer->fd, problem, r->id, detail);
	return MHD_NO;
}

enum MHD_Result exchange_body(struct request *r, const char *bytes, size_t len)
{
	r->received += len;
	r->peer->bytes += len;
	if (r->is_response_ready || r->peer->phase == PEER_DOOMED)
		return MHD_YES;
	if (r->received > body_max(r))
		return cut_body(r, PROBLEM_TOO_LARGE, "The request body is over the limit.");
	if (!wants_json(r))
		return MHD_YES;
	if (!shares_body_fits(r, len))
		return cut_body(r, PROBLEM_NOT_ACCEPTED,
				"Too many large requests at once. Nothing was stored.");
	if (r->body.cap == 0 && r->content_length < ROUTE_SMALL_MAX)
		buf_reserve(&r->body, (size_t)r->content_length);
	buf_append(&r->body, bytes, len);
	if (r->body.failed)
		return cut_body(r, PROBLEM_NOT_ACCEPTED, "Out of memory. Nothing was stored.");
	r->server->body_bytes += len;
	return MHD_YES;
}

/* True while the lookup of the key or the handler still uses the request. */
static bool is_held(const struct request *r)
{
	if (r->is_response_ready)
		return false;
	return r->step == STEP_WORK || (r->step == STEP_AUTHORISE && !r->is_admitted);
}

void exchange_end(struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

	/* The response was not ours, but MHD's (431, 414, a bad chunk). */
	if (!r->status && info && r->peer->phase != PEER_DOOMED)
		r->status = info->http_status;
	request_log_end(r);
	if (r->step == STEP_WAIT)
		leave_queue(r);
	if (is_held(r))
		request_leave(r);
	else
		request_free(r);
}
