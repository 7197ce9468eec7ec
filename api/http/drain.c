/* How the server ends: it takes no more, lets what is in hand be answered, and goes. */
#include "api/http/engine.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#define REST_MS 10000

static void drained(void *arg)
{
	struct http_server *s = arg;
	void (*fn)(void *) = s->drained;

	loop_timer_cancel(&s->drain_timer);
	s->drained = NULL;
	if (fn)
		fn(s->drained_arg);
}

void drain_check(struct http_server *s)
{
	if (s->drained && s->n_connections == 0 && s->n_lingering == 0)
		loop_post(&s->drained_post);
}

/* Between two requests, with nothing on the way in? */
static bool is_at_rest(const struct connection *c)
{
	int unread = 0;

	if (c->phase != CONNECTION_IDLE && c->phase != CONNECTION_FRESH)
		return false;
	return ioctl(c->fd, FIONREAD, &unread) < 0 || unread == 0;
}

/* The last requests of those who did not know yet. */
static void rest_is_over(void *arg)
{
	struct http_server *s = arg;

	for (struct connection *c = s->connections; c; c = c->next)
		if (is_at_rest(c))
			sweep_close(c);
	drain_check(s);
}

int drain_init(struct http_server *s)
{
	if (loop_timer_init(&s->drain_timer, s->api->loop, drained, s) < 0 ||
	    loop_timer_init(&s->rest_timer, s->api->loop, rest_is_over, s) < 0)
		return -1;
	return loop_post_init(&s->drained_post, s->api->loop, drained, s);
}

void http_server_drain(struct http_server *s, int64_t ms, bool is_patient, void (*done)(void *),
		       void *arg)
{
	s->drained = done;
	s->drained_arg = arg;
	s->is_draining = true;
	accept_stop(s);
	server_run(s);
	loop_timer_set(&s->drain_timer, ms);
	if (is_patient)
		loop_timer_set(&s->rest_timer, REST_MS);
	else
		rest_is_over(s);
	drain_check(s);
}

/* MHD must not be stopped while a connection is suspended. */
static void resume_all(struct http_server *s)
{
	for (struct request *r = s->requests; r; r = r->next) {
		if (!r->is_suspended)
			continue;
		r->is_suspended = false;
		MHD_resume_connection(r->mhd);
	}
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->is_stopping = true;
	s->drained = NULL;
	accept_stop(s);
	loop_fd_deinit(&s->poll);
	if (s->daemon) {
		resume_all(s);
		MHD_stop_daemon(s->daemon);
	}
	linger_free_all(s);
	loop_timer_deinit(&s->again);
	loop_timer_deinit(&s->tick);
	loop_timer_deinit(&s->work);
	loop_timer_deinit(&s->drain_timer);
	loop_timer_deinit(&s->rest_timer);
	loop_post_deinit(&s->post);
	loop_post_deinit(&s->drained_post);
	free(s);
}

void server_limit(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
	loop_timer_set(&s->tick, limits->tick_ms);
}
