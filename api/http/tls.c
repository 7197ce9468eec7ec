/* TLS connections: suspends them while the handshake waits, and sends no page of libmicrohttpd. */
#include "api/http/tls.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "api/http/peer.h"
#include "server/base/links.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define EVENTS 64
#define RECORD_APPLICATION 23
/* Holds `100 Continue`, an alert or a key update; each page of libmicrohttpd is larger. */
#define SMALL_RECORD 64

static void on_octets(int fd, unsigned what, void *server)
{
	(void)fd;
	(void)what;
	engine_run(server);
}

int tls_init(struct http_server *s)
{
	s->tls_fd = s->is_tls ? epoll_create1(EPOLL_CLOEXEC) : -1;
	if (!s->is_tls)
		return 0;
	if (s->tls_fd < 0)
		return -1;
	loop_fd_init(&s->tls_poll, s->api->loop, s->tls_fd, on_octets, s);
	return loop_fd_want(&s->tls_poll, LOOP_READ);
}

void tls_deinit(struct http_server *s)
{
	loop_fd_deinit(&s->tls_poll);
	if (s->tls_fd >= 0)
		close(s->tls_fd);
	s->tls_fd = -1;
}

/* ---- pages ---- */

static bool may_send(const struct peer *p, const unsigned char *record, size_t len)
{
	return p->phase == PEER_SENDING || !p->is_tls_open || len <= SMALL_RECORD ||
	       record[0] != RECORD_APPLICATION;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *record, size_t len)
{
	struct peer *p = arg;

	if (may_send(p, record, len))
		return send(p->fd, record, len, MSG_NOSIGNAL);
	if (p->phase != PEER_DOOMED) {
		LOG(LOG_INFO, "http.refused", LOG_N("status", 0),
		    LOG_S("reason", "The request is not valid HTTP, or too large."));
		metric_add(METRIC_REQUESTS_4XX, 1);
		peer_enter(p, PEER_DOOMED, p->since_ms);
	}
	errno = ECONNRESET;
	return -1;
}

/* Called for the Finished message of both sides; the client's is the last one of a handshake in
 * TLS 1.3. In TLS 1.2 the messages after it have a record type of their own. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned is_incoming,
		       const gnutls_datum_t *message)
{
	gnutls_transport_ptr_t in, p;

	(void)type;
	(void)when;
	(void)message;
	gnutls_transport_get_ptr2(session, &in, &p);
	if (is_incoming)
		((struct peer *)p)->is_tls_open = true;
	return 0;
}

/* ---- connections that wait ---- */

static void start_watching(struct peer *p)
{
	p->is_watched = true;
	LINKS_ADD_BY(p->server->watched, p, prev_watched, next_watched);
}

static void stop_watching(struct peer *p)
{
	if (!p->is_watched)
		return;
	p->is_watched = false;
	LINKS_REMOVE_BY(p->server->watched, p, prev_watched, next_watched);
}

void tls_add(struct peer *p)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(p->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = p};
	gnutls_session_t session = info ? info->tls_session : NULL;

	if (p->server->tls_fd < 0 || !session)
		return;
	gnutls_transport_set_ptr2(session, (gnutls_transport_ptr_t)(intptr_t)p->fd, p);
	gnutls_transport_set_push_function(session, push);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
					   on_finished);
	/* Without the watch the connection works, at the cost of CPU time. */
	if (epoll_ctl(p->server->tls_fd, EPOLL_CTL_ADD, p->fd, &event) == 0)
		start_watching(p);
}

void tls_remove(struct peer *p)
{
	if (p->server->tls_fd < 0)
		return;
	stop_watching(p);
	epoll_ctl(p->server->tls_fd, EPOLL_CTL_DEL, p->fd, NULL);
}

void tls_resume(struct peer *p)
{
	if (!p->is_resting)
		return;
	p->is_resting = false;
	start_watching(p);
	MHD_resume_connection(p->mhd);
	engine_wake(p->server);
}

void tls_wake(struct http_server *s)
{
	struct epoll_event events[EVENTS];
	int n = EVENTS;

	while (s->tls_fd >= 0 && n == EVENTS) {
		n = epoll_wait(s->tls_fd, events, EVENTS, 0);
		for (int i = 0; i < n; i++)
			tls_resume(events[i].data.ptr);
	}
}

static void rest(struct peer *p)
{
	int unread = 0;

	if (p->phase != PEER_FRESH) {
		stop_watching(p);
		if (p->phase != PEER_DOOMED)
			epoll_ctl(p->server->tls_fd, EPOLL_CTL_DEL, p->fd, NULL);
	} else if (ioctl(p->fd, FIONREAD, &unread) == 0 && unread == 0) {
		stop_watching(p);
		p->is_resting = true;
		MHD_suspend_connection(p->mhd);
	}
}

void tls_rest(struct http_server *s)
{
	for (struct peer *p = s->watched, *next; p; p = next) {
		next = p->next_watched;
		rest(p);
	}
}
