#ifndef API_KEYS_H
#define API_KEYS_H

#include "api/http/request.h"

/* /v1/keys: the API keys of the key's own project; with the root key, of any project. */
request_fn keys_list_get; /* GET /v1/keys */
request_fn keys_post;     /* POST: the text of the key is in this response only */
request_fn keys_delete;   /* DELETE /v1/keys/{id}: revokes it */

#endif
