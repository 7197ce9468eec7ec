#ifndef API_HTTP_HEAD_H
#define API_HTTP_HEAD_H

#include <stdbool.h>

#include "api/http/request_state.h"

/* Checks a request head (RFC 9112): false when the head was refused; the request is answered then.
 * Sets what follows from the headers. For this folder only. */
bool head_check(struct request *r, const char *url, const char *method, const char *version);

/* Is this application/json, with no charset but UTF-8? Other parameters do not matter. NULL: no. */
bool head_is_json(const char *content_type);

#endif
