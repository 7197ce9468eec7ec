#ifndef SERVER_REDIS_CALL_H
#define SERVER_REDIS_CALL_H

#include <hiredis/hiredis.h>

#include "server/redis/command.h"
#include "server/redis/redis.h"

/* Calls with a bare redisReply, for the callers that do not use struct callback yet. */
typedef void plain_fn(enum call_end end, const redisReply *reply, const struct err *why, void *arg);
void redis_call_plain(struct redis *redis, struct command *take, unsigned conn, int64_t limit_ms,
		      plain_fn *fn, void *arg);

#endif
