#ifndef API_HTTP_LINGER_H
#define API_HTTP_LINGER_H

#include "api/http/engine.h"
#include "api/wire/problem.h"

/* Closing a connection so that the last response arrives. For this folder only. */

/* Takes fd: ends our side, reads until the peer has closed too or linger_ms are over, closes. */
void linger_take(struct http_server *s, int fd);
void linger_free_all(struct http_server *s);

/* Writes a whole response past MHD; only on plain TCP, and only when MHD has nothing to write.
 * request_id NULL: a new one. detail: NULL for none. */
void linger_last_words(struct http_server *s, int fd, enum problem problem, const char *request_id,
		       const char *detail);

#endif
