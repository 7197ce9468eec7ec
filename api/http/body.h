#ifndef API_HTTP_BODY_H
#define API_HTTP_BODY_H

#include "api/http/request.h"
#include "api/json/rules.h"

/* The JSON body of a request. The functions that return int: 0, or -1 and the request is answered:
 * 400 when the body is not JSON, 422 with all its errors. */

/* *body: for the caller to decref. */
int body_parse(struct request *r, json_t **body);
/* Parses the body and checks it by a table; what lands in target points into *body. */
int body_read(struct request *r, const struct rule *table, size_t n, void *target, json_t **body);

/* 422 with an array of {pointer, detail}. */
void body_answer_errors(struct request *r, json_t *take_errors);
/* 422 with one error. */
void body_answer_error(struct request *r, const char *pointer, const char *detail);

#endif
