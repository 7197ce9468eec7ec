/* The web door's process: a loop, the store, the HTTP server, and an orderly end. */
#include "api/api_role.h"

#include <signal.h>

#include <jansson.h>

#include "api/canary.h"
#include "api/http/request.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/store/queue/relay_watch.h"
#include "server/redis/redis.h"

#define READY_POLL_MS 10
#define READY_WAIT_MS 2000 /* who connects meanwhile waits, and is not refused */
#define PATIENT_MS (INT64_C(660) * 1000)

struct door {
	struct api api;
	const struct role_context *ctx;
	struct http_server *server;
	struct loop_timer opening;
	int64_t open_by_ms;
	bool is_patient;
	int status;
};

static void on_drained(void *arg)
{
	struct door *d = arg;

	loop_stop(d->api.loop);
}

static void on_term(void *arg)
{
	struct door *d = arg;

	if ((d->api.is_draining && !d->is_patient) || !d->server) {
		loop_stop(d->api.loop);
		return;
	}
	LOG(LOG_INFO, "api.draining", LOG_N("seconds", d->api.config->drain_s));
	d->api.is_draining = true;
	d->is_patient = false;
	http_server_drain(d->server, d->api.config->drain_s * 1000, false, on_drained, d);
}

/* Another generation serves beside us: who has a connection may ask once more on it. */
static void on_retire(void *arg)
{
	struct door *d = arg;

	if (d->api.is_draining || !d->server) {
		on_term(d);
		return;
	}
	LOG(LOG_INFO, "api.retiring", LOG_S("hint", "the next generation has taken over"));
	d->api.is_draining = d->is_patient = true;
	http_server_drain(d->server, PATIENT_MS, true, on_drained, d);
}

/* Requests are taken once the store is there; without it, after a while, to say so. */
static void try_open(void *arg)
{
	struct door *d = arg;
	struct err e;

	if (!redis_is_ready(d->api.redis, NULL) && clock_mono_ms() < d->open_by_ms) {
		loop_timer_set(&d->opening, READY_POLL_MS);
		return;
	}
	if (http_server_start(&d->server, &d->api, d->ctx->listen_fds, d->ctx->n_listen_fds, &e) ==
	    0)
		return;
	LOG(LOG_ERROR, "api.start_failed", LOG_S("reason", e.text));
	d->status = 1;
	loop_stop(d->api.loop);
}

static int open_door(struct door *d, const struct role_context *ctx, struct err *e)
{
	d->api.loop = loop_new();
	if (!d->api.loop)
		return err_oom(e);
	if (redis_open(&d->api.redis, d->api.loop, ctx->config, REDIS_SCRIPTS | REDIS_SUBSCRIBER,
		       e) < 0)
		return -1;
	if (loop_timer_init(&d->opening, d->api.loop, try_open, d) < 0 ||
	    loop_signal(d->api.loop, SIGTERM, on_term, d) < 0 ||
	    loop_signal(d->api.loop, SIGUSR1, on_retire, d) < 0)
		return err_oom(e);
	relay_watch_start(d->api.redis);
	canary_start(&d->api);
	d->ctx = ctx;
	d->open_by_ms = clock_mono_ms() + READY_WAIT_MS;
	loop_timer_set(&d->opening, 0);
	return 0;
}

int role_api(const struct role_context *ctx)
{
	struct door d = {.api = {.config = ctx->config}};
	struct err e;

	d.status = 1;
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
		d.status = 0;
	if (d.status == 0 && loop_run(d.api.loop) < 0)
		d.status = 1;
	redis_abandon(d.api.redis);
	canary_stop();
	http_server_free(d.server);
	loop_timer_deinit(&d.opening);
	if (d.api.redis)
		redis_close(d.api.redis);
	if (d.api.loop)
		loop_free(d.api.loop);
	return d.status;
}
