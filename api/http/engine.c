/* Runs libmicrohttpd in our loop: the loop watches the library's epoll. */
#include "api/http/engine.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/http/guard.h"
#include "api/http/tls.h"

#define RUNS_A_TURN 16

/* With a timeout of 0 MHD reports that it has more work. It runs again, but only a few times, so
 * that the other parts of the loop get their turn. The tick serves longer timeouts. */
void engine_run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG left;

	for (int i = 0; i < RUNS_A_TURN; i++) {
		guard_check(s);
		tls_wake(s);
		MHD_run(s->daemon);
		tls_rest(s);
		if (MHD_get_timeout(s->daemon, &left) != MHD_YES || left > 0)
			return;
	}
	loop_timer_set(&s->again, 0);
}

static void run_engine(void *server)
{
	engine_run(server);
}

static void on_poll(int fd, unsigned what, void *server)
{
	(void)fd;
	(void)what;
	engine_run(server);
}

void engine_wake(struct http_server *s)
{
	loop_post(&s->wake);
}

void engine_check_drained(struct http_server *s)
{
	if (s->drained && s->n_peers == 0 && s->n_lingering == 0)
		loop_post(&s->drained_post);
}

void engine_new_id(struct http_server *s, char id[ENGINE_ID_MAX])
{
	snprintf(id, ENGINE_ID_MAX, "%s-%" PRIx64, s->id_prefix, s->id_count++);
}

int engine_init(struct http_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct loop *loop = s->api->loop;

	if (!info)
		return -1;
	loop_fd_init(&s->poll, loop, info->epoll_fd, on_poll, s);
	if (loop_timer_init(&s->again, loop, run_engine, s) < 0 ||
	    loop_post_init(&s->wake, loop, run_engine, s) < 0)
		return -1;
	return loop_fd_want(&s->poll, LOOP_READ);
}

void engine_deinit(struct http_server *s)
{
	loop_fd_deinit(&s->poll);
	loop_timer_deinit(&s->again);
	loop_post_deinit(&s->wake);
}
