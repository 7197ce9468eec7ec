#ifndef API_BODY_H
#define API_BODY_H

#include "api/http/request.h"
#include "api/json/rules.h"

/* The JSON body of a request. The functions return 0, or -1 after they responded: with 400 if the
 * body is not JSON, 413 if it has too many values, 422 if it has errors. */

/* *body: the caller must decref it. */
int body_parse(struct request *r, json_t **body);
/* Parses the body and checks it by a table. Values in target point into *body. */
int body_read(struct request *r, const struct rule *table, size_t n, void *target, json_t **body);

/* Responds with 422 and an array of {pointer, code, detail}. */
void body_respond_errors(struct request *r, json_t *take_errors);
/* Responds with 422 and one error; its code is `invalid`. */
void body_respond_error(struct request *r, const char *pointer, const char *detail);

#endif
