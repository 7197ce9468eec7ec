#ifndef API_HTTP_MHD_RESPONSE_H
#define API_HTTP_MHD_RESPONSE_H

#include "api/http/request_state.h"

/* Queues the response that response.c collected. For this folder only. */
enum MHD_Result mhd_response_queue(struct request *r);

#endif
