/* Closes a connection so that the last response arrives: a close with unread bytes makes TCP send a
 * reset, which may overtake the response (RFC 9112 9.6). So it shuts down our side, reads for a
 * while, then closes. */
#include "api/http/linger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/links.h"

#define LINGERING_MAX 256

struct lingering {
	struct http_server *server;
	struct lingering *prev, *next;
	struct loop_fd watch;
	struct loop_timer timer;
	int fd;
};

static void end_linger(void *arg)
{
	struct lingering *l = arg;
	struct http_server *s = l->server;

	loop_fd_deinit(&l->watch);
	loop_timer_deinit(&l->timer);
	close(l->fd);
	LINKS_REMOVE(s->lingering, l);
	s->n_lingering--;
	free(l);
	engine_check_drained(s);
}

static void on_readable(int fd, unsigned what, void *arg)
{
	char sink[16384];
	ssize_t n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);

	(void)what;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		end_linger(arg);
}

void linger_take(struct http_server *s, int fd)
{
	struct lingering *l = s->n_lingering < LINGERING_MAX ? calloc(1, sizeof(*l)) : NULL;

	shutdown(fd, SHUT_WR);
	if (!l || loop_timer_init(&l->timer, s->api->loop, end_linger, l) < 0) {
		free(l);
		close(fd);
		return;
	}
	l->server = s;
	l->fd = fd;
	LINKS_ADD(s->lingering, l);
	s->n_lingering++;
	loop_fd_init(&l->watch, s->api->loop, fd, on_readable, l);
	loop_timer_set(&l->timer, s->limits.linger_ms);
	if (loop_fd_want(&l->watch, LOOP_READ) < 0)
		end_linger(l);
}

void linger_free_all(struct http_server *s)
{
	for (struct lingering *l = s->lingering, *next; l; l = next) {
		next = l->next;
		end_linger(l);
	}
}

void linger_last_words(struct http_server *s, int fd, enum problem problem, const char *id,
		       const char *detail)
{
	struct buf response = {0};
	char new_id[ENGINE_ID_MAX];
	size_t len = 0;
	char *text;

	if (s->is_tls)
		return;
	if (!id) {
		engine_new_id(s, new_id);
		id = new_id;
	}
	text = problem_text(problem, id, detail, NULL, &len);
	if (!text)
		return;
	buf_fmt(&response,
		"HTTP/1.1 %u %s\r\nConnection: close\r\n%sContent-Type: "
		"application/problem+json\r\n"
		"X-Request-Id: %s\r\nContent-Length: %zu\r\n\r\n",
		problem_status(problem), problem_title(problem),
		problem_status(problem) == 503 ? "Retry-After: 5\r\n" : "", id, len);
	buf_append(&response, text, len);
	/* A few hundred octets fit into an empty socket buffer. If not, the client gets no
	 * response.
	 */
	if (!response.failed)
		(void)!send(fd, response.data, response.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_deinit(&response);
	free(text);
}
