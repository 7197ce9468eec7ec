#ifndef API_HTTP_SERVER_H
#define API_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/http/request.h"
#include "api/http/route.h"
#include "server/base/err.h"

/* The HTTP server of one API process: HTTP/1.1, with TLS when the configuration has a certificate.
 */

struct http_server;

/* To be called after the fork. Accepts from listen_fds, which are non-blocking. api and routes are
 * borrowed until http_server_free. */
int http_server_start(struct http_server **s, const struct api *api, const struct routes *routes,
		      const int *listen_fds, size_t n, struct err *e);

/* Stops accepting, answers what comes on open connections with `Connection: close`, lets open
 * requests end (at most ms), then calls done. Idle connections are closed at once; is_patient:
 * after 10 s. May be called again with less patience. */
void http_server_drain(struct http_server *s, int64_t ms, bool is_patient, void (*done)(void *),
		       void *arg);

/* Not from within a handler. */
void http_server_free(struct http_server *s);

/* How long a peer may take, and what it may hold. */
struct http_limits {
	int64_t tick_ms;   /* between two checks */
	int64_t fresh_ms;  /* from connect to the first request line */
	int64_t idle_ms;   /* between two requests */
	int64_t head_ms;   /* from the request line to the end of the head */
	int64_t body_ms;   /* head and body; plus 1 s for each body_rate octets */
	int64_t send_ms;   /* the response; plus 1 s for each send_rate octets */
	int64_t body_rate; /* octets a second */
	int64_t send_rate;
	int64_t linger_ms;   /* after our end of stream, until the peer's */
	int64_t back_off_ms; /* after accept ran out of descriptors */
	/* Octets of all responses that clients have not read yet; above it large ones become 503.
	 */
	size_t responses_max;
};

/* Replaces the default limits. For tests. */
void http_server_limit(struct http_server *s, const struct http_limits *limits);

#endif
