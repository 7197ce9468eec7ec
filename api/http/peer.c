/* The client at the other end of a connection, from accept to close; once a tick, closes those that
 * are too slow. */
#include "api/http/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/http/guard.h"
#include "api/http/linger.h"
#include "api/http/room.h"
#include "api/http/tls.h"
#include "server/base/clock.h"
#include "server/base/links.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

struct peer *peer_new(struct http_server *s, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *fd, *from;
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	from = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	p->server = s;
	p->mhd = mhd;
	p->fd = fd->connect_fd;
	p->since_ms = clock_mono_ms();
	if (room_enter(p, from->client_addr) < 0) {
		free(p);
		return NULL;
	}
	LINKS_ADD(s->peers, p);
	s->n_peers++;
	metric_add(METRIC_HTTP_CONNECTIONS, 1);
	guard_add(p);
	tls_add(p);
	return p;
}

void peer_free(struct peer *p)
{
	struct http_server *s;
	int copy;

	if (!p)
		return;
	s = p->server;
	guard_remove(p);
	tls_remove(p);
	room_leave(p);
	/* MHD closes its descriptor after this; a copy keeps the socket. */
	if (p->is_left_early && !s->is_stopping && (copy = fcntl(p->fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		linger_take(s, copy);
	LINKS_REMOVE(s->peers, p);
	s->n_peers--;
	metric_add(METRIC_HTTP_CONNECTIONS, -1);
	free(p);
	engine_check_drained(s);
}

void peer_enter(struct peer *p, enum peer_phase phase, int64_t since_ms)
{
	if (p->phase == PEER_DOOMED)
		return;
	p->phase = phase;
	p->since_ms = since_ms;
	if (phase == PEER_DOOMED)
		room_leave(p);
	else
		room_update(p);
}

void peer_shut(struct peer *p)
{
	peer_enter(p, PEER_DOOMED, clock_mono_ms());
	shutdown(p->fd, SHUT_RDWR);
	tls_resume(p);
}

/* ---- the tick ---- */

/* The limits are on total time, because a single octet from time to time resets an idle timer. */
static int64_t time_for(uint64_t bytes, int64_t rate)
{
	return (int64_t)(bytes / (uint64_t)rate) * 1000;
}

static int64_t limit_ms(const struct http_server *s, const struct peer *p)
{
	switch (p->phase) {
	case PEER_FRESH:
		return s->limits.fresh_ms;
	case PEER_IDLE:
		return s->limits.idle_ms;
	case PEER_HEAD:
		return s->limits.head_ms;
	case PEER_BODY:
		return s->limits.body_ms + time_for(p->bytes, s->limits.body_rate);
	case PEER_SENDING:
		return s->limits.send_ms + time_for(p->bytes, s->limits.send_rate);
	case PEER_DOOMED:
		return s->limits.linger_ms;
	case PEER_WORK:
		break;
	}
	return INT64_MAX;
}

/* MHD stops reading after a short read. So it misses the end of the stream if a client half-closes
 * directly after its last request. */
static bool has_ended(const struct peer *p)
{
	char byte;

	return p->phase == PEER_IDLE && recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void check_peer(struct http_server *s, struct peer *p, int64_t now_ms)
{
	if (has_ended(p)) {
		peer_shut(p);
		return;
	}
	if (now_ms - p->since_ms <= limit_ms(s, p))
		return;
	if (p->phase == PEER_HEAD || p->phase == PEER_BODY) {
		LOG(LOG_INFO, "http.too_slow", LOG_N("bytes", p->bytes),
		    LOG_N("ms", now_ms - p->since_ms));
		linger_last_words(s, p->fd, PROBLEM_TIMEOUT, NULL, NULL);
	}
	peer_shut(p);
}

void peer_sweep(void *server)
{
	struct http_server *s = server;
	int64_t now_ms = clock_mono_ms();

	for (struct peer *p = s->peers; p; p = p->next)
		check_peer(s, p, now_ms);
	room_report(s);
	shares_tick(s, now_ms);
	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&s->tick, s->limits.tick_ms);
	/* For MHD's own timeouts; nothing else wakes MHD for them. */
	engine_run(s);
}
