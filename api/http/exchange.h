#ifndef API_HTTP_EXCHANGE_H
#define API_HTTP_EXCHANGE_H

#include <stddef.h>

#include "api/http/request_state.h"

/* Takes one request from its head to its response, in the steps in which libmicrohttpd calls. For
 * this folder only. */

/* Called when the head or the whole body has arrived, and after request_resume. */
enum MHD_Result exchange_step(struct request *r, const char *url, const char *method,
			      const char *version);
/* Called for each piece of the body. */
enum MHD_Result exchange_body(struct request *r, const char *bytes, size_t len);
/* Calls the handler of a request whose body has arrived, now or in one of the next loop turns. */
void exchange_start(struct request *r);
/* Calls the handlers that wait for their turn. */
void exchange_work(void *server);
/* MHD is done with the request: logs and frees it, unless a lookup or a handler still holds it. */
void exchange_end(struct request *r);

#endif
