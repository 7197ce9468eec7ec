/* The API process: accepts requests when Redis is ready. */
#include "api/api_role.h"

#include <jansson.h>

#include "api/canary.h"
#include "api/http/server.h"
#include "api/routes.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/store/queue/relay_watch.h"

#define READY_POLL_MS 10
#define READY_WAIT_MS 2000 /* clients that connect in this time wait; they are not refused */

struct api_process {
	struct api api;
	struct role *role;
	struct http_server *server;
	struct http_server *metrics; /* NULL: POSTERN_METRICS_LISTEN is off */
	struct loop_timer opening;
	int64_t open_by_ms;
};

static void on_drained(void *arg)
{
	role_end(arg, 0);
}

static void drain(struct role *r, int64_t ms, bool is_patient)
{
	struct api_process *p = r->state;

	if (!p->server) {
		role_end(r, 0);
		return;
	}
	p->api.is_draining = true;
	if (p->metrics)
		http_server_drain(p->metrics, ms, false, NULL, NULL);
	http_server_drain(p->server, ms, is_patient, on_drained, r);
}

static int open_servers(struct api_process *p, struct err *e)
{
	const struct role_context *ctx = p->role->ctx;
	size_t n_api = ctx->n_listen_fds - ctx->n_metrics_fds;
	const struct http_service api = {
		.routes = &api_routes, .listen_fds = ctx->listen_fds, .n_listen_fds = n_api};
	const struct http_service metrics = {.routes = &metrics_routes,
					     .listen_fds = ctx->listen_fds + n_api,
					     .n_listen_fds = ctx->n_metrics_fds,
					     .is_internal = true};

	if (ctx->n_metrics_fds && http_server_start(&p->metrics, &p->api, &metrics, e) < 0)
		return -1;
	return http_server_start(&p->server, &p->api, &api, e);
}

/* Without Redis the server starts after READY_WAIT_MS and responds with 503. */
static void try_open(void *arg)
{
	struct api_process *p = arg;
	struct err e;

	if (!redis_is_ready(p->api.redis, NULL) && clock_mono_ms() < p->open_by_ms) {
		loop_timer_set(&p->opening, READY_POLL_MS);
		return;
	}
	if (open_servers(p, &e) == 0)
		return;
	LOG(LOG_ERROR, "role.cannot_start", LOG_S("reason", e.text));
	role_end(p->role, 1);
}

static int start(struct role *r, struct err *e)
{
	struct api_process *p = r->state;

	p->role = r;
	p->api = (struct api){.loop = r->loop, .redis = r->redis, .config = r->ctx->config};
	/* Each process has its own seed, so that nobody can craft names whose hashes collide. */
	json_object_seed(0);
	if (loop_timer_init(&p->opening, r->loop, try_open, p) < 0 || canary_start(&p->api) < 0 ||
	    relay_watch_start(r->redis) < 0)
		return err_oom(e);
	p->open_by_ms = clock_mono_ms() + READY_WAIT_MS;
	loop_timer_set(&p->opening, 0);
	return 0;
}

static void stop(struct role *r)
{
	struct api_process *p = r->state;

	canary_stop();
	http_server_free(p->metrics);
	http_server_free(p->server);
	loop_timer_deinit(&p->opening);
}

int api_role_run(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS | REDIS_SUBSCRIBER,
		.start = start,
		.drain = drain,
		.stop = stop,
	};
	struct api_process p = {0};

	return role_run(&functions, ctx, &p);
}
