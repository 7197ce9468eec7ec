#ifndef API_HTTP_GUARD_H
#define API_HTTP_GUARD_H

#include "api/http/engine.h"

/* Reads request heads ahead of libmicrohttpd (MSG_PEEK), and refuses what it would answer by a page
 * of its own. Not with TLS, where the octets are not to be read. For this folder only. */

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
