#ifndef API_META_H
#define API_META_H

#include "api/http/request.h"

/* Routes for operators and tools, without a key: GET /healthz, /readyz, /metrics, /openapi.json,
 * /openapi.yaml. */
request_fn meta_healthz;
request_fn meta_readyz; /* says only ready or not */
request_fn meta_readyz_with_reason;
request_fn meta_metrics;
request_fn meta_openapi_json;
request_fn meta_openapi_yaml;

#endif
