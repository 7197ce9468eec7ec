#ifndef API_HTTP_LINGER_H
#define API_HTTP_LINGER_H

#include "api/http/engine.h"
#include "api/wire/problem.h"

/* Closing a connection so that the last response arrives. For this folder only. */

/* Takes fd: shuts down our side, reads until the peer has closed or linger_ms have passed, closes.
 */
void linger_take(struct http_server *s, int fd);
void linger_free_all(struct http_server *s);

/* Writes a whole response directly to the socket. Only on plain TCP, and only while MHD has nothing
 * to write. request_id NULL: makes one. detail: NULL for none. */
void linger_last_words(struct http_server *s, int fd, enum problem problem, const char *request_id,
		       const char *detail);

#endif
