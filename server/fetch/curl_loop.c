/* Runs libcurl's multi interface on our loop. */
#include "server/fetch/curl_loop.h"

#include <stdlib.h>

/* A socket that libcurl wants watched. */
struct watch {
	struct curl_loop *curl;
	struct loop_fd fd;
};

static void collect_done(void *arg)
{
	struct curl_loop *l = arg;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(l->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			l->fn(message->easy_handle, message->data.result);
}

static void on_ready(int fd, unsigned what, void *arg)
{
	struct curl_loop *l = ((struct watch *)arg)->curl;
	int flags = (what & LOOP_READ ? CURL_CSELECT_IN : 0) |
		    (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(l->multi, fd, flags, &running);
	/* Not now: a callback of a transfer may remove the handle, which libcurl forbids within
	 * its own calls. */
	loop_post(&l->done);
}

static void on_time(void *arg)
{
	struct curl_loop *l = arg;
	int running;

	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	loop_post(&l->done);
}

/* libcurl has one timer for all transfers. */
static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct curl_loop *l = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_cancel(&l->timer);
	else
		loop_timer_set(&l->timer, ms);
	return 0;
}

static struct watch *watch_new(struct curl_loop *l, int fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->curl = l;
	loop_fd_init(&w->fd, l->loop, fd, on_ready, w);
	curl_multi_assign(l->multi, fd, w);
	return w;
}

/* -1 (out of memory): libcurl fails all open transfers, each with its callback. */
static int want_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct curl_loop *l = arg;
	struct watch *w = socket_arg;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			loop_fd_deinit(&w->fd);
		free(w);
		return 0;
	}
	if (!w)
		w = watch_new(l, fd);
	if (!w)
		return -1;
	return loop_fd_want(&w->fd, (what & CURL_POLL_IN ? LOOP_READ : 0) |
					    (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
}

int curl_loop_init(struct curl_loop *l, struct loop *loop, size_t max_connections, curl_loop_fn *fn)
{
	*l = (struct curl_loop){.multi = curl_multi_init(), .loop = loop, .fn = fn};
	if (!l->multi || loop_timer_init(&l->timer, loop, on_time, l) < 0 ||
	    loop_post_init(&l->done, loop, collect_done, l) < 0)
		return -1;
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
	return 0;
}

void curl_loop_deinit(struct curl_loop *l)
{
	/* This may call want_socket and want_timer, which use the timer and the loop. */
	if (l->multi)
		curl_multi_cleanup(l->multi);
	loop_timer_deinit(&l->timer);
	loop_post_deinit(&l->done);
}
