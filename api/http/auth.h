#ifndef API_HTTP_AUTH_H
#define API_HTTP_AUTH_H

#include "api/http/request_state.h"

/* Checks the API key of a request, now or later. Then either is_admitted is set, or the response is
 * a problem; and request_resume is called. For this folder only. */
void auth_check(struct request *r);

#endif
