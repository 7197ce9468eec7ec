#ifndef API_HTTP_RESPONSE_H
#define API_HTTP_RESPONSE_H

#include "api/http/request_state.h"

/* Queues the response that answer.c collected. For this folder only. */
enum MHD_Result response_send(struct request *r);

#endif
