#ifndef API_HTTP_GUARD_H
#define API_HTTP_GUARD_H

#include "api/http/engine.h"

/* Looks at heads and chunks before libmicrohttpd reads them (MSG_PEEK). Refuses by a problem what
 * the library would refuse by a page of its own, and chunk framing that it accepts too laxly. Not
 * with TLS, where the octets are encrypted. If MHD has read octets that were not looked at, nothing
 * is refused here until the next request whose place is known. For this folder only. */

struct peer;

/* 0 or -1. */
int guard_init(struct http_server *s);
void guard_deinit(struct http_server *s);
/* A connection begins and ends. */
void guard_add(struct peer *p);
void guard_remove(struct peer *p);
/* Before each run of MHD: looks at what has arrived. */
void guard_check(struct http_server *s);
/* A request has ended: its head and its body had so many octets, not counting chunks. The next head
 * begins. */
void guard_next(struct peer *p, uint64_t octets);

#endif
