#ifndef API_HTTP_GUARD_H
#define API_HTTP_GUARD_H

#include "api/http/engine.h"

/* Looks at heads and chunks before libmicrohttpd reads them (MSG_PEEK). Responds with a problem
 * where the library would respond with its own HTML page, and to chunk framing that the library
 * would tolerate. It cannot work with TLS, where the octets are encrypted; see tls.h.
 *
 * MHD may read octets that the guard did not see: those that arrive between the look and the read,
 * and those of a request that was sent before the response to the one before it. If such octets
 * may belong to a later request, the connection ends with the response. For this folder only. */

struct peer;

/* 0 or -1. */
int guard_init(struct http_server *s);
void guard_deinit(struct http_server *s);
/* Call when a connection begins, and before it ends. */
void guard_add(struct peer *p);
void guard_remove(struct peer *p);
/* Call before each run of MHD: looks at all octets that have arrived. */
void guard_check(struct http_server *s);
/* Call when a request has ended. octets: of its head and its body, without the chunk framing. */
void guard_next(struct peer *p, uint64_t octets);
/* True if the framing of the chunked body that MHD has read was looked at up to its end. */
bool guard_saw_end(const struct peer *p);

#endif
