#ifndef API_HTTP_SHARES_H
#define API_HTTP_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/turns.h"

/* Divides a process between the tenants, so that the large requests of one do not stop the others.
 * Large requests are bodies over SHARES_LARGE octets and routes with BODY_NONE_BULK. For this
 * folder only.
 *
 * Work: at most SHARES_AT_ONCE octets of large bodies are at work at once. A larger body, or a
 * request of a bulk route, is at work alone. The others wait, and the tenants that wait take turns.
 * Small requests need no turn.
 *
 * Memory: bodies and responses have a limit for the sum of all. When it is reached, the tenant
 * that holds most loses its oldest one. So a tenant may use all of it while nobody else wants it.
 */

#define SHARES_LARGE ((size_t)64 << 10)
#define SHARES_AT_ONCE ((size_t)4 << 20)

struct http_server;
struct request;

struct shares {
	struct turns waiting;
	struct request *working; /* the large requests at work */
	size_t bytes;            /* of these */
};

/* Call when no request waits any more. Requests may still be at work; they have no turn then. */
void shares_deinit(struct shares *shares);

/* True: the request may be worked on now. False: it waits; exchange_start is called when its turn
 * comes. After 10 s it gets a 503. */
bool shares_enter(struct request *r);
/* Call when the response is ready, and before the request is freed. May be called again. */
void shares_leave(struct request *r);
/* Once a tick: refuses the requests that have waited too long. */
void shares_tick(struct http_server *s, int64_t now_ms);

/* Makes room for len more octets of a body. False: this request must be refused. */
bool shares_body_fits(struct request *r, size_t len);
/* The same for a large response. */
bool shares_response_fits(struct request *r, size_t len);

#endif
