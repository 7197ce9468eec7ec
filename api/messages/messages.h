#ifndef API_MESSAGES_MESSAGES_H
#define API_MESSAGES_MESSAGES_H

#include "api/http/request.h"

/* POST /v1/messages */
request_fn messages_create;
/* GET /v1/messages/{id} */
request_fn messages_show;

#endif
