/* The client at the other end of a connection, from accept to close. */
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
	p->is_counted = true;
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
