/* The process that delivers webhooks. */
#include "server/hooks/hooks_role.h"

#include <sys/resource.h>

#include "server/hooks/engine.h"
#include "server/redis/redis.h"

#define DRAIN_MS 8000
#define NICE 4 /* mail has priority over webhooks */

static void on_stopped(void *arg)
{
	role_end(arg, 0);
}

static int start(struct role *r, struct err *e)
{
	struct engine *engine = r->state;

	setpriority(PRIO_PROCESS, 0, NICE);
	engine->shared.config = r->ctx->config;
	engine->loop = r->loop;
	engine->shared.redis = r->redis;
	engine->stopped = on_stopped;
	engine->stopped_arg = r;
	return engine_start(engine, e);
}

static void drain(struct role *r, int64_t ms, bool is_patient)
{
	(void)ms;
	(void)is_patient;
	engine_stop(r->state);
}

static void end(struct role *r)
{
	struct engine *engine = r->state;

	engine->shared.is_stopping = true;
}

static void stop(struct role *r)
{
	engine_free(r->state);
}

int hooks_role_run(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS,
		.drain_ms = DRAIN_MS,
		.start = start,
		.drain = drain,
		.end = end,
		.stop = stop,
	};
	struct engine engine = {0};

	return role_run(&functions, ctx, &engine);
}
