#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/wire/route.h"

/* All paths of the API. openapi.yaml describes the same ones; a test compares them. */
extern const struct routes api_routes;
/* Paths of POSTERN_METRICS_LISTEN, for operators. */
extern const struct routes metrics_routes;

#endif
