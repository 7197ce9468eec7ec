/* Calls with a bare redisReply. */
#include "server/redis/call.h"

struct plain {
	plain_fn *fn;
	void *arg;
};

static void on_result(const struct call_result *result, void *context)
{
	struct plain *p = context;

	p->fn(result->end, (const redisReply *)result->reply, result->why, p->arg);
}

void redis_call_plain(struct redis *redis, struct command *take, unsigned conn, int64_t limit_ms,
		      plain_fn *fn, void *arg)
{
	struct plain p = {fn, arg};

	redis_call(redis, take, conn, limit_ms, CALLBACK_COPY(on_result, p));
}
