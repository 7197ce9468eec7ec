#ifndef SMTP_CLIENT_STREAM_H
#define SMTP_CLIENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "smtp/client/tls.h"

struct loop;

/* How the bytes of one SMTP connection travel: a non-blocking stream socket (TCP or AF_UNIX), later
 * with TLS on it. It keeps no bytes and no deadlines: who owns it reads, writes and has a timer. */

struct stream;

enum stream_event {
	STREAM_CONNECTED,
	STREAM_SECURED,
	STREAM_MOVED,  /* there may be something to read, or room to write */
	STREAM_FAILED, /* connect or handshake; stream_why */
};

/* Fires on the loop, never inside a call; may free the stream. */
typedef void stream_fn(enum stream_event event, void *arg);

/* Starts to connect. A refusal at once is a STREAM_FAILED too. */
int stream_open(struct stream **out, struct loop *loop, const struct sockaddr_storage *to,
		stream_fn *fn, void *arg, struct err *e) __attribute__((warn_unused_result));
/* A connected socket, which it takes. STREAM_CONNECTED follows. */
int stream_adopt(struct stream **out, struct loop *loop, int fd, stream_fn *fn, void *arg,
		 struct err *e) __attribute__((warn_unused_result));
void stream_free(struct stream *l);

/* Starts the handshake; STREAM_SECURED or STREAM_FAILED follows. See tls_new. */
int stream_secure(struct stream *l, struct tls_context *ctx, const char *name, bool is_strict,
		  struct err *e) __attribute__((warn_unused_result));

/* Bytes read or written; 0 = not now, STREAM_MOVED follows; -1 = it is over, stream_why. */
ssize_t stream_read(struct stream *l, char *bytes, size_t size);
ssize_t stream_write(struct stream *l, const struct iovec *pieces, size_t n);
/* After a read of n of size bytes: may there be more that no event will announce? */
bool stream_has_more(const struct stream *l, size_t n, size_t size);

bool stream_is_local(const struct stream *l); /* loopback or AF_UNIX */
/* Our own IP address, "" if there is none. */
void stream_source(const struct stream *l, char *out, size_t size);
const struct tls *stream_tls(const struct stream *l); /* NULL = clear */
const char *stream_why(const struct stream *l);

#endif
