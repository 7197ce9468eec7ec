#ifndef API_HTTP_BODY_H
#define API_HTTP_BODY_H

#include "api/http/request.h"
#include "api/json/rules.h"

/* The JSON body of a request. 0, or -1 and the request is answered: 400 when it is not JSON, 422
 * with all its faults. */

/* *body: the caller's to decref. */
int body_parse(struct request *r, json_t **body);
/* Parses and checks it; what lands in target points into *body. */
int body_read(struct request *r, const struct rule *table, size_t n, void *target, json_t **body);
/* Answers 422 with an array of {pointer, detail}. */
void body_answer_faults(struct request *r, json_t *take_faults);

#endif
