#ifndef API_HTTP_GUARD_H
#define API_HTTP_GUARD_H

#include <stdarg.h>
#include <stdbool.h>

#include "api/http/engine.h"

/* Looks at heads and chunks before libmicrohttpd reads them (MSG_PEEK). Responds with a problem
 * where the library would respond with its own HTML page, and to chunk framing that the library
 * would tolerate. It cannot work with TLS, where the octets are encrypted; see tls.h.
 *
 * MHD may read octets that the guard did not see: those that arrive between the look and the read,
 * and those of a request that was sent before the response to the one before it. If such octets
 * may belong to a later request, the connection ends with the response. If MHD is about to respond
 * with a page of its own, all connections with such octets get a problem instead, because MHD does
 * not say which one it is. For this folder only. */

struct peer;

/* 0 or -1. */
int guard_init(struct http_server *s);
void guard_deinit(struct http_server *s);
/* Call when a connection begins, and before it ends. */
void guard_add(struct peer *p);
void guard_remove(struct peer *p);
/* Call before each run of MHD: looks at all octets that have arrived. */
void guard_check(struct http_server *s);
/* For MHD_OPTION_EXTERNAL_LOGGER: MHD logs each page of its own before it sends it. */
void guard_on_log(void *server, const char *format, va_list args);
/* Call when a request has ended. octets: of its head and its body, without the chunk framing. */
void guard_next(struct peer *p, uint64_t octets);
/* True if the framing of the chunked body that MHD has read was looked at up to its end. */
bool guard_saw_end(const struct peer *p);

#endif
