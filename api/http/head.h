#ifndef API_HTTP_HEAD_H
#define API_HTTP_HEAD_H

#include <stdbool.h>

#include "api/http/request_state.h"

/* Checks a request head (RFC 9112), and sets the fields of r that follow from it. False: the head
 * was refused, and the response is set. For this folder only. */
bool head_check(struct request *r, const char *url, const char *method, const char *version);

/* True for application/json without a charset other than UTF-8. Other parameters are ignored. False
 * for NULL. */
bool head_is_json(const char *content_type);

#endif
