#ifndef API_WEBHOOKS_H
#define API_WEBHOOKS_H

#include <jansson.h>

#include "api/http/request.h"

/* /v1/webhooks: where a project hears of its events. */
request_fn webhooks_list;
request_fn webhooks_create;
request_fn webhooks_show;
request_fn webhooks_update;
request_fn webhooks_delete;
request_fn webhooks_rotate;
request_fn webhooks_deliveries; /* webhook_deliveries.c */
request_fn webhooks_redeliver;
request_fn webhooks_test;

/* How an endpoint is shown; secret: NULL, but for its owner's one look at it. Used by both files.
 */
struct endpoint;
json_t *webhook_json(const struct endpoint *e, const char *secret);

#endif
