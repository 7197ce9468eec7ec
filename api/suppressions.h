#ifndef API_SUPPRESSIONS_H
#define API_SUPPRESSIONS_H

#include "api/http/request.h"

/* /v1/suppressions: the addresses that the project's mail does not go to. A test key sees the list
 * of test mail, a live key that of live mail. */
request_fn suppressions_list_get;
request_fn suppressions_post;
request_fn suppressions_show;
request_fn suppressions_delete;

#endif
