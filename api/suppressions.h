#ifndef API_SUPPRESSIONS_H
#define API_SUPPRESSIONS_H

#include "api/http/request.h"

/* /v1/suppressions: the addresses that the project sends no mail to. Test mail and live mail have
 * separate lists; a key uses the list of its mode. */
request_fn suppressions_list_get; /* GET /v1/suppressions */
request_fn suppressions_post;     /* POST /v1/suppressions */
request_fn suppressions_show;     /* GET /v1/suppressions/{email} */
request_fn suppressions_delete;   /* DELETE /v1/suppressions/{email} */

#endif
