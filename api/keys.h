#ifndef API_KEYS_H
#define API_KEYS_H

#include "api/http/request.h"

/* /v1/keys: the API keys of the key's own project; with the root key, of any project. */
request_fn keys_list_get;
request_fn keys_post;
request_fn keys_delete;

#endif
