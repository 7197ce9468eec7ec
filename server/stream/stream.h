#ifndef SERVER_STREAM_STREAM_H
#define SERVER_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "server/stream/tls.h"

struct loop;

/* A non-blocking stream socket of a client (TCP or AF_UNIX), with TLS after stream_secure. It has
 * no buffer and no deadline: the owner reads, writes and sets timers.
 */

struct stream;

enum stream_event {
	STREAM_CONNECTED,
	STREAM_SECURED,
	STREAM_MOVED,  /* a read or a write may make progress */
	STREAM_FAILED, /* connect or handshake failed; stream_why has the reason */
};

/* Called on the loop, never within a function of the stream. It may free the stream. */
typedef void stream_fn(enum stream_event event, void *arg);

/* Starts to connect. A refusal is reported by STREAM_FAILED, even an immediate one. ERR_RETRY: no
 * socket could be opened. */
int stream_open(struct stream **out, struct loop *loop, const struct sockaddr_storage *to,
		stream_fn *fn, void *arg, struct err *e) __attribute__((warn_unused_result));
/* Takes a connected socket, also on failure. STREAM_CONNECTED follows. */
int stream_adopt(struct stream **out, struct loop *loop, int fd, stream_fn *fn, void *arg,
		 struct err *e) __attribute__((warn_unused_result));
/* TCP only: the kernel probes a silent peer after this time, and reports a dead one after four
 * times as long. */
void stream_keep_alive(struct stream *s, int seconds);
void stream_free(struct stream *s);

/* Starts the handshake; STREAM_SECURED or STREAM_FAILED follows. See tls_new. */
int stream_secure(struct stream *s, struct tls_context *ctx, const char *name, bool is_strict,
		  struct err *e) __attribute__((warn_unused_result));

/* Return the number of octets. 0 = nothing now, STREAM_MOVED follows; -1 = the stream has ended,
 * stream_why has the reason. */
ssize_t stream_read(struct stream *s, char *bytes, size_t size);
ssize_t stream_write(struct stream *s, const struct iovec *pieces, size_t n);
/* Call after a read of n of at most size octets. True: there may be more to read, without another
 * event. */
bool stream_has_more(const struct stream *s, size_t n, size_t size);

bool stream_is_local(const struct stream *s); /* loopback or AF_UNIX */
/* Our own IP address; "" = none (AF_UNIX). */
void stream_source(const struct stream *s, char *out, size_t size);
const struct tls *stream_tls(const struct stream *s); /* NULL = clear */
const char *stream_why(const struct stream *s);

#endif
