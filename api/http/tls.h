#ifndef API_HTTP_TLS_H
#define API_HTTP_TLS_H

#include "api/http/engine.h"

/* What libmicrohttpd's TLS needs from us:
 * - While a client's handshake waits for octets, libmicrohttpd tries it again without end. So a
 *   connection without a request is suspended until octets arrive.
 * - libmicrohttpd would respond to some requests with its own HTML page. The guard cannot read
 *   encrypted heads. But it is known when a response of ours is due. At any other time nothing that
 *   is as large as a page is sent, and the connection closes.
 * Without TLS these functions do nothing. For this folder only. */

struct peer;

/* 0 or -1. */
int tls_init(struct http_server *s);
void tls_deinit(struct http_server *s);
/* Call when a connection begins, and before it ends. */
void tls_add(struct peer *p);
void tls_remove(struct peer *p);
/* Call before each run of MHD: resumes the connections for which octets have arrived. */
void tls_wake(struct http_server *s);
/* Call after each run of MHD: suspends the connections that wait for their first request. */
void tls_rest(struct http_server *s);
/* Resumes the connection, if it is suspended, so that MHD sees that its socket is shut down. */
void tls_resume(struct peer *p);

#endif
