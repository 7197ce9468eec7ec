#ifndef API_MESSAGES_EVENTS_H
#define API_MESSAGES_EVENTS_H

#include "api/http/request.h"

/* GET /v1/events: the project's log, oldest first */
request_fn events_list;
/* GET /v1/messages/{id}/events */
request_fn events_of_message;

#endif
