/* The client at the other end of a connection, from accept to close. */
#include "api/http/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/http/guard.h"
#include "api/http/linger.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"

struct peer *peer_new(struct http_server *s, int fd)
{
	struct peer *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = s;
	c->fd = fd;
	c->since_ms = clock_mono_ms();
	c->next = s->peers;
	if (c->next)
		c->next->prev = c;
	s->peers = c;
	s->n_peers++;
	metric_add(METRIC_HTTP_CONNECTIONS, 1);
	c->is_counted = true;
	guard_add(c);
	return c;
}

void peer_free(struct peer *c)
{
	struct http_server *s;
	int copy;

	if (!c)
		return;
	s = c->server;
	guard_remove(c);
	/* MHD closes its descriptor after this; a copy keeps the socket. */
	if (c->is_left_early && !s->is_stopping && (copy = fcntl(c->fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		linger_take(s, copy);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->peers = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_peers--;
	metric_add(METRIC_HTTP_CONNECTIONS, -1);
	free(c);
	engine_check_drained(s);
}

void peer_enter(struct peer *c, enum peer_phase phase, int64_t since_ms)
{
	if (c->phase == PEER_DOOMED)
		return;
	c->phase = phase;
	c->since_ms = since_ms;
}

void peer_shut(struct peer *c)
{
	peer_enter(c, PEER_DOOMED, clock_mono_ms());
	shutdown(c->fd, SHUT_RDWR);
}
