#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/http/route.h"

/* Every path of the API. openapi.yaml says the same; a test holds the two together. */
extern const struct routes api_routes;

#endif
