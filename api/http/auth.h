#ifndef API_HTTP_AUTH_H
#define API_HTTP_AUTH_H

#include "api/http/request_state.h"

/* Checks the key of a request, now or later: then is_admitted is set or the request is answered,
 * and request_resume called. For this folder only. */
void auth_check(struct request *r);

#endif
