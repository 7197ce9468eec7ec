/* How the bytes of an SMTP connection travel: socket and TLS, non-blocking both ways. */
#include "smtp/client/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/loop.h"

#define GATHER_BYTES 16384 /* one TLS record */

enum stage { CONNECTING, OPEN, HANDSHAKE, BROKEN };

struct stream {
	int fd;
	enum stage stage;
	struct loop_fd watch;
	struct loop_post post; /* tells what was known at once */
	struct tls *tls;
	char *gather; /* pieces of a TLS write, side by side */
	bool is_write_blocked, is_local;
	stream_fn *fn;
	void *arg;
	char why[200];
};

static void broke(struct stream *l, const char *why)
{
	l->stage = BROKEN;
	if (!l->why[0])
		snprintf(l->why, sizeof(l->why), "%s", why);
	loop_fd_want(&l->watch, 0);
}

/* What to be woken for. Reading always: a server may say 421 or hang up at any time. */
static void want(struct stream *l, unsigned what)
{
	if (loop_fd_want(&l->watch, what) < 0)
		broke(l, "out of memory");
}

static bool waits_for_room(const struct stream *l)
{
	return l->is_write_blocked || (l->tls && tls_has_unsent(l->tls));
}

static void want_open(struct stream *l)
{
	if (l->stage == OPEN)
		want(l, LOOP_READ | (waits_for_room(l) ? LOOP_WRITE : 0u));
}

static void opened(struct stream *l)
{
	l->stage = OPEN;
	want_open(l);
}

static void finish_connect(struct stream *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		broke(l, strerror(error));
	else
		opened(l);
	l->fn(error ? STREAM_FAILED : STREAM_CONNECTED, l->arg);
}

static void shake(struct stream *l)
{
	enum tls_status status = tls_handshake(l->tls);

	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE) {
		want(l, LOOP_READ | (tls_has_unsent(l->tls) ? LOOP_WRITE : 0u));
		if (l->stage != BROKEN)
			return;
	} else if (status == TLS_DONE) {
		opened(l);
	} else {
		broke(l, tls_why(l->tls));
	}
	l->fn(l->stage == BROKEN ? STREAM_FAILED : STREAM_SECURED, l->arg);
}

static void flush_and_tell(struct stream *l)
{
	if (l->tls) {
		/* A dead socket shows in the next read or write. */
		(void)tls_flush(l->tls);
		want_open(l);
	}
	l->fn(STREAM_MOVED, l->arg);
}

static void moved(int fd, unsigned what, void *arg)
{
	struct stream *l = arg;

	(void)fd;
	(void)what;
	if (l->stage == CONNECTING)
		finish_connect(l);
	else if (l->stage == HANDSHAKE)
		shake(l);
	else
		flush_and_tell(l);
}

static void posted(void *arg)
{
	struct stream *l = arg;

	if (l->stage == HANDSHAKE) {
		shake(l);
		return;
	}
	if (l->stage == CONNECTING)
		opened(l);
	l->fn(l->stage == BROKEN ? STREAM_FAILED : STREAM_CONNECTED, l->arg);
}

static bool is_loopback(const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;

	if (addr->sa_family == AF_UNIX)
		return true;
	if (addr->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return addr->sa_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
		(IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127));
}

/* Takes fd also when it fails. */
static struct stream *new_link(struct loop *loop, int fd, stream_fn *fn, void *arg)
{
	struct stream *l = calloc(1, sizeof(*l));

	if (!l || loop_post_init(&l->post, loop, posted, l) < 0) {
		close(fd);
		free(l);
		return NULL;
	}
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	loop_fd_init(&l->watch, loop, fd, moved, l);
	return l;
}

static socklen_t address_len(const struct sockaddr_storage *to)
{
	if (to->ss_family == AF_UNIX)
		return sizeof(struct sockaddr_un);
	return to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

int stream_open(struct stream **out, struct loop *loop, const struct sockaddr_storage *to,
		stream_fn *fn, void *arg, struct err *e)
{
	const struct sockaddr *addr = (const struct sockaddr *)to;
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	struct stream *l;

	if (fd < 0)
		return err_set(e, ERR_RETRY, "socket: %s", strerror(errno));
	l = new_link(loop, fd, fn, arg);
	if (!l)
		return err_oom(e);
	l->is_local = is_loopback(addr);
	if (to->ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->stage = CONNECTING;
	if (connect(fd, addr, address_len(to)) < 0 && errno != EINPROGRESS && errno != EINTR)
		broke(l, strerror(errno));
	else
		want(l, LOOP_WRITE);
	if (l->stage == BROKEN)
		loop_post(&l->post);
	*out = l;
	return 0;
}

int stream_adopt(struct stream **out, struct loop *loop, int fd, stream_fn *fn, void *arg,
		 struct err *e)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	int flags = fcntl(fd, F_GETFL);
	struct stream *l;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
		close(fd);
		return err_set(e, ERR_INTERNAL, "not a connected socket: %s", strerror(errno));
	}
	l = new_link(loop, fd, fn, arg);
	if (!l)
		return err_oom(e);
	l->is_local = is_loopback((const struct sockaddr *)&peer);
	loop_post(&l->post);
	*out = l;
	return 0;
}

void stream_free(struct stream *l)
{
	if (!l)
		return;
	tls_free(l->tls);
	loop_fd_deinit(&l->watch);
	loop_post_deinit(&l->post);
	close(l->fd);
	free(l->gather);
	free(l);
}

int stream_secure(struct stream *l, struct tls_context *ctx, const char *name, bool is_strict,
		  struct err *e)
{
	if (!ctx || l->tls)
		return err_set(e, ERR_INTERNAL, "TLS is not set up");
	l->gather = malloc(GATHER_BYTES);
	if (!l->gather)
		return err_oom(e);
	if (tls_new(&l->tls, ctx, l->fd, name, is_strict, e) < 0)
		return -1;
	l->stage = HANDSHAKE;
	loop_fd_want(&l->watch, 0);
	loop_post(&l->post);
	return 0;
}

/* The outcome of a TLS call as that of a plain one. */
static ssize_t outcome(struct stream *l, enum tls_status status, size_t n)
{
	if (status == TLS_DONE)
		return (ssize_t)n;
	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE)
		return 0;
	broke(l, tls_why(l->tls));
	return -1;
}

static ssize_t read_plain(struct stream *l, char *bytes, size_t size)
{
	ssize_t n = recv(l->fd, bytes, size, 0);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	broke(l, n == 0 ? "connection closed" : strerror(errno));
	return -1;
}

ssize_t stream_read(struct stream *l, char *bytes, size_t size)
{
	enum tls_status status;
	size_t n = 0;

	if (!l->tls)
		return read_plain(l, bytes, size);
	status = tls_read(l->tls, bytes, size, &n);
	want_open(l);
	return outcome(l, status, n);
}

bool stream_has_more(const struct stream *l, size_t n, size_t size)
{
	return l->tls ? tls_has_pending(l->tls) : n == size;
}

static ssize_t write_plain(struct stream *l, const struct iovec *pieces, size_t n)
{
	struct msghdr message = {.msg_iov = (void *)(uintptr_t)pieces, .msg_iovlen = n};
	ssize_t sent = sendmsg(l->fd, &message, MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	broke(l, strerror(errno));
	return -1;
}

/* Many pieces become one record. */
static ssize_t write_tls(struct stream *l, const struct iovec *pieces, size_t n)
{
	const char *from = pieces[0].iov_base;
	size_t len = pieces[0].iov_len, wrote = 0;
	enum tls_status status;

	if (n > 1 && len < GATHER_BYTES) {
		len = 0;
		for (size_t i = 0; i < n && len < GATHER_BYTES; i++) {
			size_t take = GATHER_BYTES - len;

			if (take > pieces[i].iov_len)
				take = pieces[i].iov_len;
			memcpy(l->gather + len, pieces[i].iov_base, take);
			len += take;
		}
		from = l->gather;
	}
	status = tls_write(l->tls, from, len, &wrote);
	return outcome(l, status, wrote);
}

ssize_t stream_write(struct stream *l, const struct iovec *pieces, size_t n)
{
	ssize_t wrote;

	if (l->stage != OPEN)
		return l->stage == BROKEN ? -1 : 0;
	wrote = l->tls ? write_tls(l, pieces, n) : write_plain(l, pieces, n);
	l->is_write_blocked = wrote == 0;
	want_open(l);
	return wrote;
}

bool stream_is_local(const struct stream *l)
{
	return l->is_local;
}

void stream_source(const struct stream *l, char *out, size_t size)
{
	struct sockaddr_storage self = {0};
	socklen_t len = sizeof(self);
	const struct sockaddr_in *v4 = (const void *)&self;
	const struct sockaddr_in6 *v6 = (const void *)&self;

	out[0] = 0;
	if (getsockname(l->fd, (struct sockaddr *)&self, &len) < 0)
		return;
	if (self.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
	else if (self.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
}

const struct tls *stream_tls(const struct stream *l)
{
	return l->tls;
}

const char *stream_why(const struct stream *l)
{
	return l->why;
}
