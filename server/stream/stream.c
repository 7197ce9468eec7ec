/* A socket of a client, with or without TLS, non-blocking. */
#include "server/stream/stream.h"

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

/* CONNECTING: until the socket is connected. HANDSHAKE: of TLS. BROKEN is final; why says the
 * reason. */
enum stage { CONNECTING, OPEN, HANDSHAKE, BROKEN };

struct stream {
	int fd;
	enum stage stage;
	struct loop_fd watch;
	struct loop_post post; /* delivers events that are known immediately */
	struct tls *tls;
	char *gather; /* joins the pieces of a TLS write */
	bool is_write_blocked, is_local;
	stream_fn *fn;
	void *arg;
	char why[200];
};

static void mark_broken(struct stream *s, const char *why)
{
	s->stage = BROKEN;
	/* The first reason counts: later errors follow from it. */
	if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "%s", why);
	loop_fd_want(&s->watch, 0);
}

static void want_events(struct stream *s, unsigned what)
{
	if (loop_fd_want(&s->watch, what) < 0)
		mark_broken(s, "out of memory");
}

/* TLS may have octets that it took but could not send, also after a read. */
static bool waits_for_room(const struct stream *s)
{
	return s->is_write_blocked || (s->tls && tls_has_unsent(s->tls));
}

/* Also waits for reading when nothing is expected: the peer may send or close at any time. */
static void want_open(struct stream *s)
{
	if (s->stage == OPEN)
		want_events(s, LOOP_READ | (waits_for_room(s) ? LOOP_WRITE : 0u));
}

static void mark_open(struct stream *s)
{
	s->stage = OPEN;
	want_open(s);
}

static void finish_connect(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	/* A socket that is writable has connected or failed. */
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		mark_broken(s, strerror(error));
	else
		mark_open(s);
	s->fn(s->stage == BROKEN ? STREAM_FAILED : STREAM_CONNECTED, s->arg);
}

static void continue_handshake(struct stream *s)
{
	enum tls_status status = tls_handshake(s->tls);

	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE) {
		want_events(s, LOOP_READ | (tls_has_unsent(s->tls) ? LOOP_WRITE : 0u));
		if (s->stage != BROKEN)
			return;
	} else if (status == TLS_DONE) {
		mark_open(s);
	} else {
		mark_broken(s, tls_why(s->tls));
	}
	s->fn(s->stage == BROKEN ? STREAM_FAILED : STREAM_SECURED, s->arg);
}

static void flush_and_report(struct stream *s)
{
	if (s->tls) {
		/* If the socket is dead, the next read or write fails. */
		(void)tls_flush(s->tls);
		want_open(s);
	}
	s->fn(STREAM_MOVED, s->arg);
}

static void on_event(int fd, unsigned what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == CONNECTING)
		finish_connect(s);
	else if (s->stage == HANDSHAKE)
		continue_handshake(s);
	else
		flush_and_report(s);
}

/* stream_open, stream_adopt and stream_secure return before the first event, so their callers
 * have *out. */
static void on_post(void *arg)
{
	struct stream *s = arg;

	if (s->stage == HANDSHAKE) {
		continue_handshake(s);
		return;
	}
	if (s->stage == CONNECTING)
		mark_open(s);
	s->fn(s->stage == BROKEN ? STREAM_FAILED : STREAM_CONNECTED, s->arg);
}

/* A peer on this machine: nobody reads the octets on the way. */
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

/* Takes fd, also on failure. */
static struct stream *stream_new(struct loop *loop, int fd, stream_fn *fn, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || loop_post_init(&s->post, loop, on_post, s) < 0) {
		close(fd);
		free(s);
		return NULL;
	}
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	loop_fd_init(&s->watch, loop, fd, on_event, s);
	return s;
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
	struct stream *s;

	if (fd < 0)
		return err_set(e, ERR_RETRY, "socket: %s", strerror(errno));
	s = stream_new(loop, fd, fn, arg);
	if (!s)
		return err_oom(e);
	s->is_local = is_loopback(addr);
	/* A write is a whole command; it must not wait for the acknowledgement of the one
	 * before. */
	if (to->ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->stage = CONNECTING;
	if (connect(fd, addr, address_len(to)) < 0 && errno != EINPROGRESS && errno != EINTR)
		mark_broken(s, strerror(errno));
	else
		want_events(s, LOOP_WRITE);
	if (s->stage == BROKEN)
		loop_post(&s->post);
	*out = s;
	return 0;
}

int stream_adopt(struct stream **out, struct loop *loop, int fd, stream_fn *fn, void *arg,
		 struct err *e)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	int flags = fcntl(fd, F_GETFL);
	struct stream *s;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
		close(fd);
		return err_set(e, ERR_INTERNAL, "not a connected socket: %s", strerror(errno));
	}
	s = stream_new(loop, fd, fn, arg);
	if (!s)
		return err_oom(e);
	s->is_local = is_loopback((const struct sockaddr *)&peer);
	loop_post(&s->post);
	*out = s;
	return 0;
}

void stream_keep_alive(struct stream *s, int seconds)
{
	int one = 1, probes = 3;

	setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	tls_free(s->tls);
	loop_fd_deinit(&s->watch);
	loop_post_deinit(&s->post);
	close(s->fd);
	free(s->gather);
	free(s);
}

int stream_secure(struct stream *s, struct tls_context *ctx, const char *name, bool is_strict,
		  struct err *e)
{
	if (!ctx || s->tls)
		return err_set(e, ERR_INTERNAL, "TLS is not set up");
	s->gather = malloc(GATHER_BYTES);
	if (!s->gather)
		return err_oom(e);
	if (tls_new(&s->tls, ctx, s->fd, name, is_strict, e) < 0)
		return -1;
	s->stage = HANDSHAKE;
	loop_fd_want(&s->watch, 0);
	loop_post(&s->post);
	return 0;
}

/* Maps the status of a TLS call to the result of a read or write. */
static ssize_t map_status(struct stream *s, enum tls_status status, size_t n)
{
	if (status == TLS_DONE)
		return (ssize_t)n;
	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE)
		return 0;
	mark_broken(s, tls_why(s->tls));
	return -1;
}

static ssize_t read_plain(struct stream *s, char *bytes, size_t size)
{
	ssize_t n = recv(s->fd, bytes, size, 0);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	mark_broken(s, n == 0 ? "connection closed" : strerror(errno));
	return -1;
}

ssize_t stream_read(struct stream *s, char *bytes, size_t size)
{
	enum tls_status status;
	size_t n = 0;

	if (!s->tls)
		return read_plain(s, bytes, size);
	status = tls_read(s->tls, bytes, size, &n);
	want_open(s);
	return map_status(s, status, n);
}

/* Without TLS, a full buffer means that there may be more. TLS knows what it has decrypted. */
bool stream_has_more(const struct stream *s, size_t n, size_t size)
{
	return s->tls ? tls_has_pending(s->tls) : n == size;
}

static ssize_t write_plain(struct stream *s, const struct iovec *pieces, size_t n)
{
	struct msghdr message = {.msg_iov = (void *)(uintptr_t)pieces, .msg_iovlen = n};
	/* All pieces in one system call, without a copy. */
	ssize_t sent = sendmsg(s->fd, &message, MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	mark_broken(s, strerror(errno));
	return -1;
}

/* Joins the pieces to one record. */
static ssize_t write_tls(struct stream *s, const struct iovec *pieces, size_t n)
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
			memcpy(s->gather + len, pieces[i].iov_base, take);
			len += take;
		}
		from = s->gather;
	}
	status = tls_write(s->tls, from, len, &wrote);
	return map_status(s, status, wrote);
}

ssize_t stream_write(struct stream *s, const struct iovec *pieces, size_t n)
{
	ssize_t wrote;

	if (s->stage != OPEN)
		return s->stage == BROKEN ? -1 : 0;
	wrote = s->tls ? write_tls(s, pieces, n) : write_plain(s, pieces, n);
	/* The next STREAM_MOVED comes when the socket has room. */
	s->is_write_blocked = wrote == 0;
	want_open(s);
	return wrote;
}

bool stream_is_local(const struct stream *s)
{
	return s->is_local;
}

void stream_source(const struct stream *s, char *out, size_t size)
{
	struct sockaddr_storage self = {0};
	socklen_t len = sizeof(self);
	const struct sockaddr_in *v4 = (const void *)&self;
	const struct sockaddr_in6 *v6 = (const void *)&self;

	out[0] = 0;
	if (getsockname(s->fd, (struct sockaddr *)&self, &len) < 0)
		return;
	if (self.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
	else if (self.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
}

const struct tls *stream_tls(const struct stream *s)
{
	return s->tls;
}

const char *stream_why(const struct stream *s)
{
	return s->why;
}
