#ifndef API_HTTP_ANSWER_H
#define API_HTTP_ANSWER_H

#include <stddef.h>

#include <jansson.h>

#include "api/wire/problem.h"
#include "api/http/request.h"
#include "server/base/buf.h"
#include "server/base/err.h"

/* The response to a request. A handler calls exactly one of these, once, at any time; a second call
 * is logged and ignored. After the call the request may be gone. */

/* take_body NULL: out of memory, 500. */
void answer_json(struct request *r, unsigned status, json_t *take_body);
/* JSON that is text already. */
void answer_json_text(struct request *r, unsigned status, struct buf *take_json);
/* Copies body. */
void answer_text(struct request *r, unsigned status, const char *content_type, const char *body,
		 size_t len);
/* take_errors: array of {pointer, detail}, may be NULL. detail_fmt NULL: no detail. */
void answer_problem(struct request *r, enum problem problem, json_t *take_errors,
		    const char *detail_fmt, ...) __attribute__((format(printf, 4, 5)));
/* By kind: INPUT 400, NOT_FOUND 404, REFUSED 403, RETRY 503 unavailable, else 500 with the text
 * only in the log. */
void answer_err(struct request *r, const struct err *e);

/* Adds a header to the coming response. A value with a control character is logged and ignored. */
void answer_header(struct request *r, const char *name, const char *value);

#endif
