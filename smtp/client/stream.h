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

struct link;

enum link_event {
	LINK_CONNECTED,
	LINK_SECURED,
	LINK_MOVED,  /* there may be something to read, or room to write */
	LINK_FAILED, /* connect or handshake; link_why */
};

/* Fires on the loop, never inside a call; may free the link. */
typedef void link_fn(enum link_event event, void *arg);

/* Starts to connect. A refusal at once is a LINK_FAILED too. */
int link_open(struct link **out, struct loop *loop, const struct sockaddr_storage *to, link_fn *fn,
	      void *arg, struct err *e) __attribute__((warn_unused_result));
/* A connected socket, which it takes. LINK_CONNECTED follows. */
int link_adopt(struct link **out, struct loop *loop, int fd, link_fn *fn, void *arg, struct err *e)
	__attribute__((warn_unused_result));
void link_free(struct link *l);

/* Starts the handshake; LINK_SECURED or LINK_FAILED follows. See tls_new. */
int link_secure(struct link *l, struct tls_context *ctx, const char *name, bool is_strict,
		struct err *e) __attribute__((warn_unused_result));

/* Bytes read or written; 0 = not now, LINK_MOVED follows; -1 = it is over, link_why. */
ssize_t link_read(struct link *l, char *bytes, size_t size);
ssize_t link_write(struct link *l, const struct iovec *pieces, size_t n);
/* After a read of n of size bytes: may there be more that no event will announce? */
bool link_has_more(const struct link *l, size_t n, size_t size);

bool link_is_local(const struct link *l); /* loopback or AF_UNIX */
/* Our own IP address, "" if there is none. */
void link_source(const struct link *l, char *out, size_t size);
const struct tls *link_tls(const struct link *l); /* NULL = clear */
const char *link_why(const struct link *l);

#endif
