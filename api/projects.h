#ifndef API_PROJECTS_H
#define API_PROJECTS_H

#include "api/http/request.h"

/* /v1/projects: only with the root key. */
request_fn projects_list_get;
request_fn projects_post;

#endif
