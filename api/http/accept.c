/* New connections from the listening sockets. All API processes watch the same sockets, and all
 * wake when a client connects: libevent cannot set EPOLLEXCLUSIVE, and the kernel ignores it in an
 * epoll that is nested in libevent's. The cost is an accept without a client in each other process.
 * A process that has more connections than another one pauses for a moment, so that long-lived
 * connections are spread evenly. */
#define _GNU_SOURCE /* accept4 */
#include "api/http/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/linger.h"
#include "api/http/room.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define CLIENTS_A_TURN 16
#define LEAD_MAX 4 /* connections more than the process that has the fewest */
#define YIELD_MS 1

struct listener {
	struct http_server *server;
	struct loop_fd watch;
	struct loop_timer timer;
	bool has_yielded; /* accept now, even if no other process did */
};

static void watch_again(void *arg)
{
	struct listener *l = arg;

	if (loop_fd_want(&l->watch, LOOP_READ) < 0)
		loop_timer_set(&l->timer, l->server->limits.back_off_ms);
}

/* Out of descriptors or memory: the socket stays readable, so do not watch it for a while. */
static void back_off(struct listener *l, int error)
{
	LOG(LOG_WARN, "http.accept_failed", LOG_S("reason", strerror(error)),
	    LOG_N("connections", l->server->n_peers));
	loop_fd_want(&l->watch, 0);
	loop_timer_set(&l->timer, l->server->limits.back_off_ms);
}

static void take_client(struct http_server *s, int fd, const struct sockaddr *peer, socklen_t len)
{
	const char *refusal = room_make(s, peer);

	if (!refusal) {
		MHD_add_connection(s->daemon, fd, peer, len);
		return;
	}
	linger_last_words(s, fd, PROBLEM_NOT_ACCEPTED, NULL, refusal);
	linger_take(s, fd);
}

static bool is_ahead(const struct http_server *s)
{
	int64_t least = metric_least(METRIC_HTTP_CONNECTIONS, METRIC_API_PROCESSES);

	return least < (int64_t)s->n_peers - LEAD_MAX;
}

static void yield_turn(struct listener *l)
{
	l->has_yielded = true;
	loop_fd_want(&l->watch, 0);
	loop_timer_set(&l->timer, YIELD_MS);
}

/* True for errors that are not of this process: accept(2) also reports network errors of a client.
 */
static bool is_transient(int error)
{
	return error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM &&
	       error != EBADF && error != EINVAL && error != ENOTSOCK;
}

static void on_client(int fd, unsigned what, void *arg)
{
	struct listener *l = arg;
	bool has_yielded = l->has_yielded;

	(void)what;
	if (!has_yielded && is_ahead(l->server)) {
		yield_turn(l);
		return;
	}
	l->has_yielded = false;
	for (int i = 0; i < (has_yielded ? LEAD_MAX : CLIENTS_A_TURN); i++) {
		if (i > 0 && !has_yielded && is_ahead(l->server))
			return;
		struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(peer);
		int client =
			accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client >= 0) {
			take_client(l->server, client, (struct sockaddr *)&peer, len);
		} else if (errno == EAGAIN) {
			return;
		} else if (!is_transient(errno)) {
			back_off(l, errno);
			return;
		}
	}
}

int accept_start(struct http_server *s, const int *fds, size_t n, struct err *e)
{
	s->listeners = calloc(n ? n : 1, sizeof(*s->listeners));
	if (!s->listeners)
		return err_oom(e);
	metric_set(METRIC_API_PROCESSES, 1);
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &s->listeners[s->n_listeners++];

		l->server = s;
		loop_fd_init(&l->watch, s->api->loop, fds[i], on_client, l);
		if (loop_timer_init(&l->timer, s->api->loop, watch_again, l) < 0 ||
		    loop_fd_want(&l->watch, LOOP_READ) < 0)
			return err_oom(e);
	}
	return 0;
}

void accept_stop(struct http_server *s)
{
	metric_set(METRIC_API_PROCESSES, 0);
	for (size_t i = 0; i < s->n_listeners; i++) {
		loop_fd_deinit(&s->listeners[i].watch);
		loop_timer_deinit(&s->listeners[i].timer);
	}
	free(s->listeners);
	s->listeners = NULL;
	s->n_listeners = 0;
}
