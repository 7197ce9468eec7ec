#ifndef API_HTTP_REQUEST_H
#define API_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "server/config/config.h"
#include "server/base/err.h"
#include "server/store/projects/keys.h"

struct redis;
struct loop;

/* One HTTP request on its way through: read (bounded), authorised, routed to a handler, answered.
 * A handler answers now or later (from a store callback), exactly once, by one of the answer
 * functions; until then the connection is suspended. The request stays valid until it is answered,
 * also when the client has hung up. */

struct request;

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PATCH,
	HTTP_PUT,
	HTTP_DELETE
}; /* HEAD arrives as GET */

/* What all handlers of a process share. */
struct api {
	struct loop *loop;
	struct redis *redis;
	const struct config *config;
	bool is_draining;
};

typedef void request_fn(struct request *r);

/* One row of the one route table (api/routes.c). path: "/v1/messages/{id}"; parameters match one
 * non-empty segment. scope 0: no key needed. */
struct route_entry {
	enum http_method method;
	const char *path;
	unsigned scope; /* of enum key_scope: any of these */
	request_fn *handle;
	const char *id_prefix; /* "msg": {id} must be such an id, else 404 before the handler; NULL
				  = any */
	bool wants_json;       /* a body of application/json is required (415, 400 otherwise) */
};
extern const struct route_entry api_routes[];
extern const size_t api_routes_count;

const struct api *request_api(const struct request *r);
const struct key *request_key(const struct request *r); /* NULL on routes without scope */
const char *request_id(const struct request *r);
/* The value of path parameter i (0 = first), percent-decoded. */
const char *request_param(const struct request *r, size_t i);
/* Query parameter, NULL if absent. */
const char *request_query(const struct request *r, const char *name);
/* The name of query parameter i (0 = first), NULL behind the last. */
const char *request_query_name(const struct request *r, size_t i);
/* Header, NULL if absent. (Duplicates of single-valued ones were refused before.) */
const char *request_header(const struct request *r, const char *name);
/* The raw body. */
const char *request_body(const struct request *r, size_t *len);
/* "POST" and the path as received, for the idempotency fingerprint. */
const char *request_method_text(const struct request *r);
const char *request_path(const struct request *r);
/* Handler's own state, freed with free_fn after the answer. */
void request_set_state(struct request *r, void *state, void (*free_fn)(void *));
void *request_state(const struct request *r);

/* ---- answers; take the JSON reference ---- */
void answer_json(struct request *r, unsigned status, json_t *take_body);
/* JSON that is text already. */
void answer_json_text(struct request *r, unsigned status, struct buf *take_json);
void answer_text(struct request *r, unsigned status, const char *content_type, const char *body,
		 size_t len);
/* Adds a header to the coming answer (value without controls; else ignored and logged). */
void answer_header(struct request *r, const char *name, const char *value);

/* RFC 9457. One table in problem.c gives each slug its status and title. */
enum problem {
	PROBLEM_INVALID_JSON,         /* 400 */
	PROBLEM_BAD_REQUEST,          /* 400: headers, query, framing */
	PROBLEM_UNAUTHORIZED,         /* 401 */
	PROBLEM_FORBIDDEN,            /* 403: scope */
	PROBLEM_NOT_FOUND,            /* 404 */
	PROBLEM_METHOD_NOT_ALLOWED,   /* 405 + Allow */
	PROBLEM_CONFLICT,             /* 409: not in this state */
	PROBLEM_TOO_LARGE,            /* 413 */
	PROBLEM_UNSUPPORTED_TYPE,     /* 415 */
	PROBLEM_VALIDATION,           /* 422 + errors[] */
	PROBLEM_IDEMPOTENCY_MISMATCH, /* 422 */
	PROBLEM_INTERNAL,             /* 500 */
	PROBLEM_NOT_ACCEPTED,         /* 503 + Retry-After */
	PROBLEM_OUTCOME_UNKNOWN,      /* 503 + Retry-After */
	PROBLEM_UNAVAILABLE,          /* 503 + Retry-After: a read cannot be answered now */
	PROBLEM_TIMEOUT,              /* 408: the request did not arrive in time */
};
/* errors: array of {pointer, detail}, may be NULL; taken. */
void answer_problem(struct request *r, enum problem problem, json_t *take_errors,
		    const char *detail_fmt, ...) __attribute__((format(printf, 4, 5)));
/* By kind: INPUT 400, NOT_FOUND 404, REFUSED 403, RETRY 503 unavailable, else 500 (text only in the
 * log). */
void answer_err(struct request *r, const struct err *e);

/* ---- the server ---- */
struct http_server;
/* After the fork; accepts from listen_fds (non-blocking, EPOLLEXCLUSIVE where it can be had). TLS
 * when config has a certificate. api is borrowed. */
int http_server_start(struct http_server **s, const struct api *api, const int *listen_fds,
		      size_t n, struct err *e);
/* Stops accepting, lets requests in hand end (at most ms), answers keep-alive connections with
 * close; then calls done. Connections at rest are closed at once; is_patient: only when they have
 * asked nothing for a while. May be called again with less patience. */
void http_server_drain(struct http_server *s, int64_t ms, bool is_patient, void (*done)(void *),
		       void *arg);
void http_server_free(struct http_server *s);
/* Checks certificate and key without serving. ERR_INPUT. */
int http_check_config(const struct config *config, struct err *e);

#endif
