#ifndef API_SUPPRESSIONS_H
#define API_SUPPRESSIONS_H

#include "api/http/request.h"

/* /v1/suppressions: the addresses that the project sends no mail to. Test mail and live mail have
 * separate lists; a key uses the list of its mode. */
request_fn suppressions_list_get;
request_fn suppressions_post;
request_fn suppressions_show;
request_fn suppressions_delete;

#endif
