#ifndef SERVER_REDIS_LINK_DIAL_H
#define SERVER_REDIS_LINK_DIAL_H

#include <stdbool.h>

#include "server/base/loop.h"
#include "server/redis/link/url.h"

struct evdns_base;
struct stream;
struct tls_context;

/* Opens a stream to a host or a Unix socket: resolves the name (evdns, never blocking), connects,
 * and makes the TLS handshake. Embed it; it owns the stream until dial_close. */

struct dial_events {
	void (*on_open)(struct stream *stream, void *arg); /* connected, with TLS if wanted */
	void (*on_moved)(void *arg);                       /* STREAM_MOVED, after on_open */
	/* May fire within dial_start. dial_close was called already. */
	void (*on_failed)(const char *why, void *arg);
	void *arg;
};

struct dial {
	struct loop *loop;
	struct dial_events events;
	struct tls_context *tls;
	struct redis_host to;
	long limit_ms;
	struct evdns_base *dns;
	unsigned resolver_turn; /* which name server is asked; the next one after each failure */
	struct stream *stream;  /* NULL = none */
	struct loop_timer timer;
	bool is_securing; /* the TLS handshake has begun */
	bool is_open;
};

/* tls is borrowed; NULL = without TLS. -1: out of memory. */
int dial_init(struct dial *d, struct loop *loop, struct tls_context *tls,
	      const struct dial_events *events);
/* path: a Unix socket; "" = TCP to the host. limit_ms: for the connection and the TLS handshake;
 * the name has 4 s more. Call it when nothing is open, and not within on_failed. */
void dial_start(struct dial *d, const char *path, const struct redis_host *to, long limit_ms);
/* Frees the stream. It does not end the resolution of a name: only dial_deinit does. */
void dial_close(struct dial *d);
/* At any time. A zeroed dial does nothing. */
void dial_deinit(struct dial *d);

#endif
