#ifndef API_HTTP_PEER_H
#define API_HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/wire/chunks.h"
#include "api/http/engine.h"
#include "server/base/buf.h"

/* One client connection: what it is doing, and since when. libmicrohttpd owns the descriptor. For
 * this folder only. */

enum peer_phase {
	PEER_FRESH, /* no request yet */
	PEER_IDLE,  /* between two requests */
	PEER_HEAD,  /* the request line is there */
	PEER_BODY,
	PEER_WORK, /* the key is looked up or a handler runs: the store limits the time */
	PEER_SENDING,
	PEER_DOOMED, /* shut down or refused by us; MHD has not noticed yet */
};

struct client;

struct peer {
	struct http_server *server;
	struct peer *prev, *next;
	struct MHD_Connection *mhd;
	int fd;
	enum peer_phase phase;
	int64_t since_ms;   /* monotonic: the phase began; BODY: the request began */
	uint64_t bytes;     /* of the body so far, or of the response */
	bool is_left_early; /* the response was sent before the body was read: linger */
	bool has_key;       /* SENDING: the request had a valid key */

	/* For room.c: */
	struct client *client;
	struct peer *older, *newer; /* of the client's connections that wait */
	bool is_waiting;

	/* For tls.c: */
	bool is_tls_open; /* the client has finished its handshake */
	bool is_resting;  /* suspended until octets arrive */
	bool is_watched;  /* in the server's list `watched`: may come to rest */
	struct peer *prev_watched, *next_watched;

	/* For guard.c: */
	uint64_t octets;   /* of the requests that ended */
	bool is_counted;   /* `octets` is known */
	bool is_head_seen; /* the head of this request has been looked at */
	bool is_end_seen;  /* all of this request was looked at; its end is at `end` */
	bool has_news;     /* octets have arrived that were not looked at */
	uint64_t end;
	/* Octets that were looked at: of an incomplete head; or, with is_end_seen, after the end.
	 */
	struct buf seen;
	bool is_chunked; /* the body was looked at up to the octet number `scanned` */
	struct chunks chunks;
	uint64_t scanned;
};

/* NULL: out of memory. */
struct peer *peer_new(struct http_server *s, struct MHD_Connection *mhd);
/* Call before MHD closes its descriptor. NULL is allowed. */
void peer_free(struct peer *p);
void peer_enter(struct peer *p, enum peer_phase phase, int64_t since_ms);
/* Shuts the socket down; MHD sees the end of the stream and cleans up. */
void peer_shut(struct peer *p);

/* The tick of a struct http_server: closes slow connections, sets the next tick. */
void peer_sweep(void *server);

#endif
