#ifndef API_WEBHOOK_DELIVERIES_H
#define API_WEBHOOK_DELIVERIES_H

#include "api/http/request.h"

/* GET /v1/webhooks/{id}/deliveries, POST .../deliveries/{delivery}/redeliver, POST .../test */
request_fn webhook_deliveries_list;
request_fn webhook_deliveries_redeliver;
request_fn webhook_deliveries_test;

#endif
