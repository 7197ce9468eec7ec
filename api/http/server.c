/* Starts, drains and stops the HTTP server; libmicrohttpd's callbacks. */
#include "api/http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "api/http/accept.h"
#include "api/http/certificate.h"
#include "api/http/peer.h"
#include "api/http/exchange.h"
#include "api/http/guard.h"
#include "api/http/linger.h"
#include "api/http/room.h"
#include "api/http/tls.h"
#include "api/wire/scan.h"
#include "server/base/clock.h"
#include "server/base/id.h"

#define BACKSTOP_S 300u /* MHD's idle timeout; peer_sweep is stricter */
#define ENDING_MAX 1024
#define PATIENT_IDLE_MS 10000
#define INTERNAL_CONNECTIONS 64

static const struct http_limits default_limits = {
	.tick_ms = 1000,
	.fresh_ms = 30000,
	.idle_ms = 75000,
	.head_ms = 20000,
	.body_ms = 30000,
	.send_ms = 30000,
	.body_rate = 32768,
	.send_rate = 131072,
	.linger_ms = 2000,
	.back_off_ms = 100,
	.responses_max = (size_t)256 << 20,
};

/* ---- libmicrohttpd's callbacks ---- */

static void on_connection(void *server, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = peer_new(server, mhd);
	else
		peer_free(*context);
}

/* The request line has arrived, not yet parsed: the request begins. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *p = info->socket_context;
	struct request *r = p ? request_new(arg, target) : NULL;

	if (!r)
		return NULL;
	r->mhd = mhd;
	r->peer = p;
	peer_enter(p, PEER_HEAD, r->began_us / 1000);
	p->bytes = 0;
	return r;
}

/* uri.c decodes targets, because MHD's decoding would hide %00 and %2F. */
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
	if (!*request || ((struct request *)*request)->peer->phase == PEER_DOOMED)
		return MHD_NO;
	*len = 0;
	return n ? exchange_body(*request, bytes, n)
		 : exchange_step(*request, url, method, version);
}

static uint64_t count_octets(struct MHD_Connection *mhd, const struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return (info ? info->header_size : 0) + r->received;
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
	peer_enter(r->peer, PEER_IDLE, clock_mono_ms());
	guard_next(r->peer, count_octets(mhd, r));
	*request = NULL;
	exchange_end(r);
}

/* ---- drain ---- */

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

static int drain_init(struct http_server *s)
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

static void drain_deinit(struct http_server *s)
{
	s->drained = NULL;
	loop_timer_deinit(&s->drain_timer);
	loop_timer_deinit(&s->idle_timer);
	loop_post_deinit(&s->drained_post);
}

/* ---- start and stop ---- */

static int start_daemon(struct http_server *s, char *cert, char *key, struct err *e)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)guard_on_log, s},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, s},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, s},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, s},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, SCAN_POOL_BYTES, NULL},
		/* room.c has the real limit; connections that it ended are still open here. */
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(s->connections_max + ENDING_MAX), NULL},
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
		return err_set(e, ERR_INTERNAL, "the HTTP server cannot be started");
	return 0;
}

static int join_loop(struct http_server *s, struct err *e)
{
	struct loop *loop = s->api->loop;

	if (engine_init(s) < 0 || drain_init(s) < 0 ||
	    loop_timer_init(&s->tick, loop, peer_sweep, s) < 0 ||
	    loop_timer_init(&s->work, loop, exchange_work, s) < 0)
		return err_oom(e);
	loop_timer_set(&s->tick, s->limits.tick_ms);
	return 0;
}

static void set_room(struct http_server *s, const struct http_service *service)
{
	const struct config *config = s->api->config;

	s->connections_max = (size_t)config->http_connections;
	s->connections_per_address = (size_t)config->http_connections_per_address;
	if (service->is_internal)
		s->connections_max = s->connections_per_address = INTERNAL_CONNECTIONS;
}

int http_server_start(struct http_server **out, const struct api *api,
		      const struct http_service *service, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	char *cert = NULL, *key = NULL;
	int status = -1;

	if (!s)
		return err_oom(e);
	s->api = api;
	s->routes = service->routes;
	s->last_waiting = &s->waiting;
	s->guard_fd = s->tls_fd = -1;
	s->limits = default_limits;
	set_room(s, service);
	id_random(s->id_prefix, sizeof(s->id_prefix) - 1);
	if (!service->is_internal && certificate_load(api->config, &cert, &key, e) < 0)
		goto out;
	s->is_tls = cert != NULL;
	if (room_init(s) < 0) {
		err_oom(e);
		goto out;
	}
	if (guard_init(s) < 0 || tls_init(s) < 0) {
		err_set(e, ERR_INTERNAL, "epoll_create1: %s", strerror(errno));
		goto out;
	}
	if (start_daemon(s, cert, key, e) < 0 || join_loop(s, e) < 0 ||
	    accept_start(s, service->listen_fds, service->n_listen_fds, e) < 0)
		goto out;
	*out = s;
	status = 0;
out:
	free(cert);
	certificate_wipe(key);
	if (status < 0)
		http_server_free(s);
	return status;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->is_stopping = true;
	drain_deinit(s);
	accept_stop(s);
	engine_deinit(s);
	if (s->daemon) {
		request_resume_all(s);
		for (struct peer *p = s->peers; p; p = p->next)
			tls_resume(p);
		MHD_stop_daemon(s->daemon);
	}
	linger_free_all(s);
	loop_timer_deinit(&s->tick);
	loop_timer_deinit(&s->work);
	guard_deinit(s);
	tls_deinit(s);
	room_deinit(s);
	shares_deinit(&s->shares);
	free(s);
}

void http_server_limit(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
	loop_timer_set(&s->tick, limits->tick_ms);
}
