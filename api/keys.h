#ifndef API_KEYS_H
#define API_KEYS_H

#include "api/http/request.h"

/* /v1/keys: API keys of the own project, or by the root key of any. */
request_fn keys_list_get;
request_fn keys_post;
request_fn keys_delete;
/* /v1/projects: by the root key. */
request_fn projects_list_get;
request_fn projects_post;

#endif
