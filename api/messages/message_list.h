#ifndef API_MESSAGES_MESSAGE_LIST_H
#define API_MESSAGES_MESSAGE_LIST_H

#include "api/http/request.h"

/* GET /v1/messages?to=&tag=&status=&since=&until= */
request_fn message_list_get;

#endif
