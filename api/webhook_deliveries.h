#ifndef API_WEBHOOK_DELIVERIES_H
#define API_WEBHOOK_DELIVERIES_H

#include "api/http/request.h"

request_fn webhook_deliveries_list;      /* GET /v1/webhooks/{id}/deliveries */
request_fn webhook_deliveries_redeliver; /* POST .../deliveries/{delivery}/redeliver */
request_fn webhook_deliveries_test;      /* POST /v1/webhooks/{id}/test: sends a sample event */

#endif
