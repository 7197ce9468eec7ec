#ifndef API_WIRE_PROBLEM_H
#define API_WIRE_PROBLEM_H

#include <stddef.h>

#include <jansson.h>

/* Problem types (RFC 9457). One table in problem.c gives each its status, slug and title. Pure. */

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
	PROBLEM_QUEUE_FULL,           /* 429 + Retry-After */
	PROBLEM_INTERNAL,             /* 500 */
	PROBLEM_NOT_ACCEPTED,         /* 503 + Retry-After */
	PROBLEM_OUTCOME_UNKNOWN,      /* 503 + Retry-After */
	PROBLEM_UNAVAILABLE,          /* 503 + Retry-After: a read is not possible now */
	PROBLEM_TIMEOUT,              /* 408: the request did not arrive in time */
	PROBLEM_URI_TOO_LONG,         /* 414 */
	PROBLEM_HEAD_TOO_LARGE,       /* 431 */
	PROBLEM_VERSION,              /* 505: neither HTTP/1.1 nor HTTP/1.0 */
	PROBLEM_NOT_CONFIGURED,       /* 503, no Retry-After: the operator must set something */
};

/* HTTP status code. */
unsigned problem_status(enum problem problem);
/* A short phrase without a full stop, the same in all problems of the type. */
const char *problem_title(enum problem problem);
const char *problem_slug(enum problem problem);    /* "not-found" */
const char *problem_meaning(enum problem problem); /* the text of its page: whole sentences */
/* The problem of a slug; -1: there is none. */
int problem_find(const char *slug, enum problem *problem);
#define PROBLEM_CODE_MAX 32

/* The JSON body, malloc; NULL: out of memory. request_id: as in X-Request-Id. detail: NULL or ""
 * for none; a plain word at its beginning gets a capital letter, and its end a full stop if it has
 * none. take_errors: array of {pointer, code, detail}, may be NULL. */
char *problem_text(enum problem problem, const char *request_id, const char *detail,
		   json_t *take_errors, size_t *len);

#endif
