/* The process that delivers webhooks. */
#include "server/hooks/hooks_role.h"

#include <signal.h>
#include <sys/resource.h>

#include "server/base/log.h"
#include "server/hooks/engine.h"
#include "server/redis/redis.h"

#define DRAIN_MS 8000
#define NICE 4

struct app {
	struct engine engine;
	struct loop_timer limit;
};

static void end(void *arg)
{
	loop_stop(((struct app *)arg)->engine.loop);
}

static void on_term(void *arg)
{
	struct app *h = arg;

	if (h->engine.is_stopping) {
		end(h); /* the second SIGTERM: at once */
		return;
	}
	loop_timer_set(&h->limit, DRAIN_MS);
	engine_stop(&h->engine);
}

static int start(struct app *h, const struct role_context *ctx, struct err *e)
{
	struct engine *engine = &h->engine;

	engine->config = ctx->config;
	engine->stopped = end;
	engine->stopped_arg = h;
	engine->loop = loop_new();
	if (!engine->loop)
		return err_oom(e);
	if (redis_open(&engine->redis, engine->loop, ctx->config, REDIS_SCRIPTS, e) < 0)
		return -1;
	if (loop_timer_init(&h->limit, engine->loop, end, h) < 0 ||
	    loop_signal(engine->loop, SIGTERM, on_term, h) < 0 ||
	    loop_signal(engine->loop, SIGINT, on_term, h) < 0)
		return err_oom(e);
	return engine_start(engine, e);
}

int role_hooks(const struct role_context *ctx)
{
	struct app h = {0};
	struct err e;
	int rc = 1;

	/* Mail goes first: what is told can wait where there is no room for both. */
	setpriority(PRIO_PROCESS, 0, NICE);
	if (start(&h, ctx, &e) < 0)
		LOG(LOG_ERROR, "hooks.cannot_start", LOG_S("reason", e.text));
	else
		rc = loop_run(h.engine.loop) < 0;
	h.engine.is_stopping = true;
	redis_abandon(h.engine.redis);
	engine_free(&h.engine);
	redis_close(h.engine.redis);
	loop_timer_deinit(&h.limit);
	loop_free(h.engine.loop);
	return rc;
}
