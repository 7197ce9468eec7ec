#ifndef API_PROJECTS_H
#define API_PROJECTS_H

#include "api/http/request.h"

/* /v1/projects: only with the root key. */
request_fn projects_list_get; /* GET /v1/projects */
request_fn projects_post;     /* POST: 409 if the name is in use */

#endif
