#ifndef API_META_H
#define API_META_H

#include "api/http/request.h"

/* What operators and tools ask, without a key: GET /healthz, /readyz, /metrics, /openapi.json,
 * /openapi.yaml. */
request_fn meta_healthz;
request_fn meta_readyz;
request_fn meta_metrics;
request_fn meta_openapi_json;
request_fn meta_openapi_yaml;

#endif
