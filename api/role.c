/* The web door's process: a loop, the store, the HTTP server, and an orderly end. */
#include "api/role.h"

#include <signal.h>

#include <jansson.h>

#include "api/http/request.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/store/store.h"

struct door {
	struct api api;
	struct http_server *server;
};

static void on_drained(void *arg)
{
	struct door *d = arg;

	loop_stop(d->api.loop);
}

static void on_term(void *arg)
{
	struct door *d = arg;

	if (d->api.is_draining) {
		loop_stop(d->api.loop);
		return;
	}
	LOG(LOG_INFO, "api.draining", LOG_N("seconds", d->api.config->drain_s));
	d->api.is_draining = true;
	http_server_drain(d->server, d->api.config->drain_s * 1000, on_drained, d);
}

static int open_door(struct door *d, const struct role_context *ctx, struct err *e)
{
	d->api.loop = loop_new();
	if (!d->api.loop)
		return err_oom(e);
	if (store_open(&d->api.store, d->api.loop, ctx->config, STORE_SCRIPTS | STORE_SUBSCRIBER,
		       e) < 0)
		return -1;
	if (http_server_start(&d->server, &d->api, ctx->listen_fds, ctx->n_listen_fds, e) < 0)
		return -1;
	return loop_signal(d->api.loop, SIGTERM, on_term, d) < 0 ? err_oom(e) : 0;
}

int role_api(const struct role_context *ctx)
{
	struct door d = {.api = {.config = ctx->config}};
	struct err e;
	int status = 1;

	log_init((enum log_level)ctx->config->log_level, (enum log_format)ctx->config->log_format,
		 "api");
	signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C goes to the whole group; the supervisor is the one who acts on it. */
	signal(SIGINT, SIG_IGN);
	/* Hash seeds of its own for each process: names in bodies cannot be made to collide. */
	json_object_seed(0);
	if (open_door(&d, ctx, &e) < 0)
		LOG(LOG_ERROR, "api.start_failed", LOG_S("reason", e.text));
	else
		status = loop_run(d.api.loop) < 0;
	store_abandon(d.api.store);
	http_server_free(d.server);
	if (d.api.store)
		store_close(d.api.store);
	if (d.api.loop)
		loop_free(d.api.loop);
	return status;
}
