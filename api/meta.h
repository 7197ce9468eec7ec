#ifndef API_META_H
#define API_META_H

#include "api/http/request.h"

/* Routes for operators and tools, without a key. Those with a reason or numbers are only on the
 * listener of POSTERN_METRICS_LISTEN. */
request_fn meta_healthz;            /* GET /healthz: the process runs */
request_fn meta_readyz;             /* GET /readyz: 200 or 503, without a reason */
request_fn meta_readyz_with_reason; /* the same on the listener of metrics, with the reason */
request_fn meta_metrics;            /* GET /metrics: all processes, as text for Prometheus */
request_fn meta_openapi_json;       /* GET /openapi.json */
request_fn meta_openapi_yaml;       /* GET /openapi.yaml */

#endif
