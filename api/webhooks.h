#ifndef API_WEBHOOKS_H
#define API_WEBHOOKS_H

#include "api/http/request.h"

/* /v1/webhooks: the endpoints to which a project's events are sent. */
request_fn webhooks_list;
request_fn webhooks_create;
request_fn webhooks_show;
request_fn webhooks_update;
request_fn webhooks_delete;
request_fn webhooks_rotate;

#endif
