/* The event loop: timers, descriptors, signals, and work for the end of a turn. */
#include "server/base/loop.h"

#include <stdlib.h>

#include <event2/event.h>

#define SIGNALS_MAX 8

struct signal_hook {
	struct event *event;
	loop_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	struct signal_hook signals[SIGNALS_MAX];
	int n_signals;
};

/* What a loop_timer points to. Users of loop.h do not see libevent. */
struct timer {
	struct event *event;
	loop_fn *fn;
	void *arg;
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	if (loop && config) {
		/* A loop belongs to one thread. Without the precise timer, libevent reads a clock
		 * that is some ms late. */
		event_config_set_flag(config,
				      EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
		loop->base = event_base_new_with_config(config);
	}
	if (config)
		event_config_free(config);
	if (!loop || !loop->base) {
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (int i = 0; i < loop->n_signals; i++)
		event_free(loop->signals[i].event);
	event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop)
{
	/* The loop runs also while no event is pending. */
	return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -1 : 0;
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

int loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *arg)
{
	struct timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -1;
	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, timer_fired, timer);
	if (!timer->event) {
		free(timer);
		return -1;
	}
	t->event = timer;
	return 0;
}

void loop_timer_set(struct loop_timer *t, int64_t ms)
{
	struct timer *timer = t->event;
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_add(timer->event, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
	struct timer *timer = t->event;

	if (timer)
		event_del(timer->event);
}

void loop_timer_deinit(struct loop_timer *t)
{
	struct timer *timer = t->event;

	if (!timer)
		return;
	event_free(timer->event);
	free(timer);
	t->event = NULL;
}

static void post_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_post *p = arg;

	(void)fd;
	(void)what;
	p->is_posted = false;
	p->fn(p->arg);
}

int loop_post_init(struct loop_post *p, struct loop *loop, loop_fn *fn, void *arg)
{
	*p = (struct loop_post){.fn = fn, .arg = arg};
	p->event = event_new(loop->base, -1, 0, post_fired, p);
	return p->event ? 0 : -1;
}

void loop_post(struct loop_post *p)
{
	if (p->is_posted)
		return;
	p->is_posted = true;
	/* libevent runs active events in order: p comes after all callbacks that are ready
	 * now. */
	event_active(p->event, EV_TIMEOUT, 0);
}

void loop_post_deinit(struct loop_post *p)
{
	if (p->event)
		event_free(p->event);
	*p = (struct loop_post){0};
}

static void fd_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *w = arg;
	unsigned ready = (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u);

	w->fn((int)fd, ready, w->arg);
}

void loop_fd_init(struct loop_fd *w, struct loop *loop, int fd, loop_fd_fn *fn, void *arg)
{
	*w = (struct loop_fd){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
}

int loop_fd_want(struct loop_fd *w, unsigned what)
{
	short flags = EV_PERSIST;

	if (what == w->want && (w->event || !what))
		return 0;
	if (what & LOOP_READ)
		flags |= EV_READ;
	if (what & LOOP_WRITE)
		flags |= EV_WRITE;
	/* libevent cannot change what a pending event waits for, so a new event takes its place. */
	if (w->event)
		event_free(w->event);
	w->event = NULL;
	w->want = what;
	if (!what)
		return 0;
	w->event = event_new(w->loop->base, w->fd, flags, fd_fired, w);
	if (!w->event || event_add(w->event, NULL) < 0)
		return -1;
	return 0;
}

void loop_fd_deinit(struct loop_fd *w)
{
	if (w->event)
		event_free(w->event);
	*w = (struct loop_fd){.fd = -1};
}

static void signal_fired(evutil_socket_t fd, short what, void *arg)
{
	struct signal_hook *s = arg;

	(void)fd;
	(void)what;
	s->fn(s->arg);
}

int loop_signal(struct loop *loop, int signal, loop_fn *fn, void *arg)
{
	struct signal_hook *s;

	if (loop->n_signals == SIGNALS_MAX)
		return -1;
	s = &loop->signals[loop->n_signals];
	s->fn = fn;
	s->arg = arg;
	s->event = evsignal_new(loop->base, signal, signal_fired, s);
	if (!s->event || evsignal_add(s->event, NULL) < 0)
		return -1;
	loop->n_signals++;
	return 0;
}
