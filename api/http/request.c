/* Creates, suspends, resumes and frees requests; the functions that handlers read them by. */
#include "api/http/request_state.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/links.h"

struct request *request_new(struct http_server *s, const char *target)
{
	size_t len = strlen(target);
	/* One allocation: the request, its target, and room for the decoded parts of the target. */
	struct request *r = calloc(1, sizeof(*r) + len + 1 + URI_SCRATCH(len));

	if (!r)
		return NULL;
	r->server = s;
	r->api = s->api;
	r->began_us = clock_mono_us();
	r->body.limit = (size_t)s->api->config->max_body_bytes;
	r->target_len = len;
	memcpy(r->target, target, len + 1);
	r->uri.path = "";
	engine_new_id(s, r->id);
	LINKS_ADD(s->requests, r);
	return r;
}

void request_leave(struct request *r)
{
	struct http_server *s = r->server;

	if (!s)
		return;
	s->body_bytes -= r->body.len;
	s->response_bytes -= r->text_len;
	LINKS_REMOVE(s->requests, r);
	/* A callback of the store may still come. Without a server, request_resume frees r. */
	r->server = NULL;
	r->peer = NULL;
	r->mhd = NULL;
}

void request_free_body(struct request *r)
{
	if (r->server)
		r->server->body_bytes -= r->body.len;
	buf_deinit(&r->body);
}

void request_free(struct request *r)
{
	if (!r)
		return;
	shares_leave(r);
	request_leave(r);
	if (r->free_state)
		r->free_state(r->state);
	buf_deinit(&r->body);
	buf_deinit(&r->headers);
	free(r->text);
	free(r);
}

void request_suspend(struct request *r)
{
	r->is_suspended = true;
	MHD_suspend_connection(r->mhd);
}

void request_resume(struct request *r)
{
	if (!r->server) {
		request_free(r);
	} else if (r->is_suspended) {
		r->is_suspended = false;
		MHD_resume_connection(r->mhd);
		engine_wake(r->server);
	}
}

void request_resume_all(struct http_server *s)
{
	for (struct request *r = s->requests; r; r = r->next) {
		if (!r->is_suspended)
			continue;
		r->is_suspended = false;
		MHD_resume_connection(r->mhd);
	}
}

const struct api *request_api(const struct request *r)
{
	return r->api;
}

const struct key *request_key(const struct request *r)
{
	/* A route without a scope has no key, also if the client sent one. */
	return r->route && r->route->scope ? &r->key : NULL;
}

const char *request_id(const struct request *r)
{
	return r->id;
}

const char *request_param(const struct request *r, size_t i)
{
	return i < r->match.n_params ? r->match.params[i] : NULL;
}

const char *request_query(const struct request *r, const char *name)
{
	return uri_query(&r->uri, name);
}

const char *request_query_name(const struct request *r, size_t i)
{
	return i < r->uri.n_pairs ? r->uri.pairs[i].name : NULL;
}

const char *request_header(const struct request *r, const char *name)
{
	return r->mhd ? MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name) : NULL;
}

const char *request_body(const struct request *r, size_t *len)
{
	*len = r->body.len;
	return buf_text(&r->body);
}

const char *request_method_text(const struct request *r)
{
	return r->method;
}

const char *request_path(const struct request *r)
{
	return r->uri.path;
}

void request_set_state(struct request *r, void *state, void (*free_fn)(void *))
{
	if (r->free_state)
		r->free_state(r->state);
	r->state = state;
	r->free_state = free_fn;
}

void *request_state(const struct request *r)
{
	return r->state;
}
