/* The HTTP server: one libmicrohttpd daemon, its epoll watched by our loop. */
#include "api/http/engine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define POOL_BYTES 16384 /* a connection: head, and a window on the body */
#define RUNS_A_TURN 16
#define BACKSTOP_S 300u /* MHD's idle timeout; sweep.c is stricter */

static const struct http_limits default_limits = {
	.tick_ms = 1000,
	.fresh_ms = 30000,
	.idle_ms = 75000,
	.head_ms = 20000,
	.body_ms = 30000,
	.send_ms = 60000,
	.body_rate = 32768,
	.linger_ms = 2000,
	.back_off_ms = 100,
};

void server_wake(struct http_server *s)
{
	loop_post(&s->post);
}

/* MHD says by a timeout of 0 that it has work left. It is told to go on, but not for ever, so that
 * the rest of the loop gets its turn; longer timeouts are served by the tick. */
void server_run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG left;

	for (int i = 0; i < RUNS_A_TURN; i++) {
		MHD_run(s->daemon);
		if (MHD_get_timeout(s->daemon, &left) != MHD_YES || left > 0)
			return;
	}
	loop_timer_set(&s->again, 0);
}

static void run(void *arg)
{
	server_run(arg);
}

static void on_poll(int fd, unsigned what, void *arg)
{
	(void)fd;
	(void)what;
	server_run(arg);
}

/* ---- libmicrohttpd's callbacks ---- */

static void connection_open(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *c = calloc(1, sizeof(*c));

	*context = c;
	if (!c)
		return;
	c->server = s;
	c->fd = info->connect_fd;
	c->since_ms = clock_mono_ms();
	c->next = s->connections;
	if (c->next)
		c->next->prev = c;
	s->connections = c;
	s->n_connections++;
	metric_add(METRIC_HTTP_CONNECTIONS, 1);
}

static void connection_close(struct http_server *s, struct connection *c)
{
	int copy;

	if (!c)
		return;
	/* MHD closes its descriptor after this; a copy keeps the socket. */
	if (c->is_left_early && !s->is_stopping && (copy = fcntl(c->fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		linger_take(s, copy);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_connections--;
	metric_add(METRIC_HTTP_CONNECTIONS, -1);
	free(c);
	drain_check(s);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(arg, mhd, context);
	else
		connection_close(arg, *context);
}

/* The request line is there, not yet taken apart: the request begins. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *c = info->socket_context;
	struct request *r = c ? request_new(arg, target) : NULL;

	if (!r)
		return NULL;
	r->mhd = mhd;
	r->connection = c;
	c->phase = CONNECTION_HEAD;
	c->since_ms = r->began_us / 1000;
	c->bytes = 0;
	return r;
}

/* uri.c decodes; MHD's way would hide %00 and %2F. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg;
	(void)mhd;
	return strlen(text);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *bytes,
				  size_t *len, void **request)
{
	size_t n = *len;

	(void)arg;
	(void)mhd;
	if (!*request)
		return MHD_NO;
	*len = 0;
	return n ? exchange_body(*request, bytes, n)
		 : exchange_step(*request, url, method, version);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct request *r = *request;

	(void)arg;
	(void)mhd;
	(void)code;
	if (!r)
		return;
	if (r->connection->phase != CONNECTION_DOOMED) {
		r->connection->phase = CONNECTION_IDLE;
		r->connection->since_ms = clock_mono_ms();
	}
	*request = NULL;
	exchange_end(r);
}

/* ---- start and stop ---- */

static unsigned per_ip(unsigned connections)
{
	/* One address cannot take them all, yet a proxy may take most. */
	return connections > 10 ? connections - connections / 10 : connections;
}

static int start_daemon(struct http_server *s, char *cert, char *key, struct err *e)
{
	unsigned connections = (unsigned)s->api->config->http_connections;
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, s},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, s},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, s},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)per_ip(connections), NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, BACKSTOP_S, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	if (cert) {
		static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

		flags |= MHD_USE_TLS;
		options[8] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, cert};
		options[10].ptr_value = priorities;
	}
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_ARRAY, options,
				     MHD_OPTION_END);
	if (!s->daemon)
		return err_set(e, ERR_INTERNAL, "the HTTP server does not start");
	return 0;
}

static int join_loop(struct http_server *s, struct err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct loop *loop = s->api->loop;

	if (!info)
		return err_set(e, ERR_INTERNAL, "libmicrohttpd has no epoll");
	loop_fd_init(&s->poll, loop, info->epoll_fd, on_poll, s);
	if (loop_timer_init(&s->again, loop, run, s) < 0 ||
	    loop_timer_init(&s->tick, loop, sweep, s) < 0 ||
	    loop_timer_init(&s->work, loop, exchange_work, s) < 0 ||
	    loop_post_init(&s->post, loop, run, s) < 0 || loop_fd_want(&s->poll, LOOP_READ) < 0 ||
	    drain_init(s) < 0)
		return err_oom(e);
	loop_timer_set(&s->tick, s->limits.tick_ms);
	return 0;
}

int http_server_start(struct http_server **out, const struct api *api, const int *listen_fds,
		      size_t n, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	char *cert = NULL, *key = NULL;
	int status = -1;

	if (!s)
		return err_oom(e);
	s->api = api;
	s->last_waiting = &s->waiting;
	s->limits = default_limits;
	id_random(s->id_prefix, sizeof(s->id_prefix) - 1);
	if (tls_load(api->config, &cert, &key, e) < 0)
		goto out;
	s->is_tls = cert != NULL;
	if (start_daemon(s, cert, key, e) < 0 || join_loop(s, e) < 0 ||
	    accept_start(s, listen_fds, n, e) < 0)
		goto out;
	*out = s;
	status = 0;
out:
	free(cert);
	tls_wipe(key);
	if (status < 0)
		http_server_free(s);
	return status;
}
