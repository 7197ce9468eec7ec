#ifndef API_WEBHOOKS_H
#define API_WEBHOOKS_H

#include "api/http/request.h"

/* /v1/webhooks: the endpoints to which a project's events are sent. */
request_fn webhooks_list;   /* GET /v1/webhooks */
request_fn webhooks_create; /* POST: the secret is in this response only */
request_fn webhooks_show;   /* GET /v1/webhooks/{id} */
request_fn webhooks_update; /* PATCH: fields that are not given stay */
request_fn webhooks_delete; /* DELETE /v1/webhooks/{id} */
request_fn webhooks_rotate; /* POST .../rotate: a new secret; both sign for 24 hours */

#endif
