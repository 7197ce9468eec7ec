#ifndef API_ONCE_H
#define API_ONCE_H

#include <stdbool.h>

#include "api/http/request.h"

/* The Idempotency-Key of requests that make something other than a message. A request with a key
 * that was used before gets the first response again, with Idempotent-Replayed: true. Only a 2xx is
 * kept: after any other response the key is free again. */

/* Calls make, at once or after the key is claimed; or responds itself. has_secret: the response
 * shows a secret, so it is kept sealed, and without POSTERN_SECRET the header is refused (503
 * not-configured). */
void once_run(struct request *r, bool has_secret, request_fn *make);

#endif
