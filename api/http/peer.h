#ifndef API_HTTP_PEER_H
#define API_HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/http/engine.h"

/* One client connection: what it is doing, and since when. libmicrohttpd owns the descriptor. For
 * this folder only. */

enum peer_phase {
	PEER_FRESH, /* no request yet */
	PEER_IDLE,  /* between two requests */
	PEER_HEAD,  /* the request line is there */
	PEER_BODY,
	PEER_WORK, /* with the key's lookup or a handler: the store bounds the time */
	PEER_SENDING,
	PEER_DOOMED, /* shut down by us; MHD has not noticed yet */
};

struct peer {
	struct http_server *server;
	struct peer *prev, *next;
	int fd;
	enum peer_phase phase;
	int64_t since_ms;   /* monotonic: the phase began; BODY: the request began */
	uint64_t bytes;     /* of the body so far, or of the response */
	bool is_left_early; /* responded before the body was read: linger */
};

/* NULL: out of memory. */
struct peer *peer_new(struct http_server *s, int fd);
/* Before MHD closes its descriptor. NULL is fine. */
void peer_free(struct peer *c);
void peer_enter(struct peer *c, enum peer_phase phase, int64_t since_ms);
/* Shuts the socket down; MHD sees the end of the stream and cleans up. */
void peer_shut(struct peer *c);

#endif
