/* Drains the server: no new connections, open requests get their responses, then it ends. */
#include "api/http/drain.h"

#include <sys/ioctl.h>

#include "api/http/accept.h"
#include "api/http/peer.h"

#define PATIENT_IDLE_MS 10000

static void finish_drain(void *arg)
{
	struct http_server *s = arg;
	void (*fn)(void *) = s->drained;

	loop_timer_cancel(&s->drain_timer);
	s->drained = NULL;
	if (fn)
		fn(s->drained_arg);
}

/* True between two requests, if no octet of the next one has arrived. */
static bool is_idle(const struct peer *c)
{
	int unread = 0;

	if (c->phase != PEER_IDLE && c->phase != PEER_FRESH)
		return false;
	return ioctl(c->fd, FIONREAD, &unread) < 0 || unread == 0;
}

static void close_idle(void *arg)
{
	struct http_server *s = arg;

	for (struct peer *c = s->peers; c; c = c->next)
		if (is_idle(c))
			peer_shut(c);
	engine_check_drained(s);
}

int drain_init(struct http_server *s)
{
	if (loop_timer_init(&s->drain_timer, s->api->loop, finish_drain, s) < 0 ||
	    loop_timer_init(&s->idle_timer, s->api->loop, close_idle, s) < 0)
		return -1;
	return loop_post_init(&s->drained_post, s->api->loop, finish_drain, s);
}

void http_server_drain(struct http_server *s, int64_t ms, bool is_patient, void (*done)(void *),
		       void *arg)
{
	s->drained = done;
	s->drained_arg = arg;
	s->is_draining = true;
	accept_stop(s);
	engine_run(s);
	loop_timer_set(&s->drain_timer, ms);
	if (is_patient)
		loop_timer_set(&s->idle_timer, PATIENT_IDLE_MS);
	else
		close_idle(s);
	engine_check_drained(s);
}

void drain_deinit(struct http_server *s)
{
	s->drained = NULL;
	loop_timer_deinit(&s->drain_timer);
	loop_timer_deinit(&s->idle_timer);
	loop_post_deinit(&s->drained_post);
}
