#ifndef API_HTTP_ROOM_H
#define API_HTTP_ROOM_H

#include <stdbool.h>

#include "api/http/engine.h"

/* Who may have a connection. One client (an IPv4 address or an IPv6 /64) has at most
 * http_connections_per_address connections; networks of trusted_proxies have no such limit. When
 * there is no room for a new connection, another one ends for it: one that waits, which means that
 * nobody with a key would miss a response (FRESH, IDLE, HEAD, or SENDING to a request without key).
 *
 *   1. The client is at its limit: its own connection that has waited longest.
 *   2. The process is at http_connections: of the client with the most waiting connections, the
 *      one that has waited longest. Trusted proxies come last.
 *   3. Nothing waits: the new connection is refused.
 *
 * So clients with few connections never pay for one with many. For this folder only. */

struct peer;
struct client; /* one address */

/* 0 or -1 (out of memory). */
int room_init(struct http_server *s);
void room_deinit(struct http_server *s);

/* Makes room for a new connection from this address. NULL, or the reason why there is none. */
const char *room_make(struct http_server *s, const struct sockaddr *from);

/* Counts the connection. 0 or -1 (out of memory). */
int room_enter(struct peer *p, const struct sockaddr *from);
/* Call after each change of p->phase. */
void room_update(struct peer *p);
/* Call when the connection ends, or is about to. May be called again. */
void room_leave(struct peer *p);

/* Logs and counts the connections that ended or were refused since the last call. */
void room_report(struct http_server *s);

#endif
