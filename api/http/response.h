#ifndef API_HTTP_RESPONSE_H
#define API_HTTP_RESPONSE_H

#include <stddef.h>

#include <jansson.h>

#include "api/wire/problem.h"
#include "api/http/request.h"
#include "server/base/buf.h"
#include "server/base/err.h"

/* The response to a request. A handler calls exactly one of these functions once, during the
 * handler or later. A second call is logged and ignored. After the call the request may be freed.
 */

/* Takes take_body. NULL: out of memory, 500. */
void response_json(struct request *r, unsigned status, json_t *take_body);
/* The same for JSON text. Takes the text; the buffer is empty afterwards. */
void response_json_text(struct request *r, unsigned status, struct buf *take_json);
/* Copies body; len in octets. */
void response_text(struct request *r, unsigned status, const char *content_type, const char *body,
		   size_t len);
/* take_errors: array of {pointer, code, detail}, or NULL. detail_fmt: whole sentences; NULL: no
 * detail. At most 511 octets of the detail are sent. */
void response_problem(struct request *r, enum problem problem, json_t *take_errors,
		      const char *detail_fmt, ...) __attribute__((format(printf, 4, 5)));
/* The status follows from the kind: INPUT 400, NOT_FOUND 404, REFUSED 403, RETRY 503 unavailable;
 * for all others 500, and the text goes only to the log. */
void response_err(struct request *r, const struct err *e);

/* 204, or the error: a callback for changes that return nothing. request: struct request. */
void response_no_content(const struct err *why, void *request);

/* Lets fn see the response before it is sent. Call it before the handler responds. fn is called
 * once, within the function that responds, and may add headers. The response waits until fn or a
 * later callback calls response_release. */
typedef void response_hold_fn(struct request *r, unsigned status, const char *body, size_t len,
			      void *arg);
void response_hold(struct request *r, response_hold_fn *fn, void *arg);
/* After the call the request may be freed. */
void response_release(struct request *r);

/* Adds a header to the response; call it before the function that responds. Copies both. If value
 * is not printable ASCII, the header is not sent, and its name is logged. */
void response_header(struct request *r, const char *name, const char *value);

#endif
