#ifndef API_HTTP_SERVER_H
#define API_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/http/request.h"
#include "api/wire/route.h"
#include "server/base/err.h"

/* The HTTP server of one API process: HTTP/1.1, with TLS when the configuration has a certificate.
 */

struct http_server;

struct http_service {
	const struct routes *routes;
	const int *listen_fds; /* non-blocking; they stay the caller's */
	size_t n_listen_fds;
	bool is_internal; /* for operators: without TLS, and with few connections */
};

/* Call it after the fork. api and routes are borrowed until http_server_free. ERR_INPUT: the
 * certificate or its key is not usable. */
int http_server_start(struct http_server **s, const struct api *api,
		      const struct http_service *service, struct err *e);

/* Stops accepting, responds on open connections with `Connection: close`, lets open requests end
 * (within ms at most), then calls done, which may be NULL. Idle connections are closed at once;
 * with is_patient, after 10 s. May be called again, with is_patient false. */
void http_server_drain(struct http_server *s, int64_t ms, bool is_patient, void (*done)(void *),
		       void *arg);

/* Must not be called within a handler. */
void http_server_free(struct http_server *s);

/* Limits on the time and the memory of clients. */
struct http_limits {
	int64_t tick_ms;   /* between two checks */
	int64_t fresh_ms;  /* from connect to the first request line */
	int64_t idle_ms;   /* between two requests */
	int64_t head_ms;   /* from the request line to the end of the head */
	int64_t body_ms;   /* head and body; plus 1 s for each body_rate octets */
	int64_t send_ms;   /* the response; plus 1 s for each send_rate octets */
	int64_t body_rate; /* octets a second */
	int64_t send_rate;
	int64_t linger_ms;   /* from our end of stream to the peer's */
	int64_t back_off_ms; /* pause after accept ran out of descriptors */
	/* Octets of all responses that clients have not read yet. Above it, a large response is
	 * replaced by a 503. */
	size_t responses_max;
};

/* Replaces the default limits. For tests. */
void http_server_limit(struct http_server *s, const struct http_limits *limits);

#endif
