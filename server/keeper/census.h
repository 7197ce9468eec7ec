#ifndef SERVER_KEEPER_CENSUS_H
#define SERVER_KEEPER_CENSUS_H

#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/redis/redis.h"

/* Every 5 seconds, reads from Redis how many jobs, messages and bytes the partitions hold, and sets
 * the gauges. Each gauge is the sum over the partitions, so only one process has to show it. The
 * keeper needs the list of projects for its scripts. For this folder only. */

struct census {
	struct redis *redis;
	char *projects;              /* numbers, NUL after each, an empty one at the end; or NULL */
	int64_t found[METRIC_COUNT]; /* so far, by the calls that are under way */
	struct call_group calls;
	struct loop_timer timer;
};

/* Call it when the number of partitions is known. s is all zero. -1: out of memory. */
int census_start(struct census *s, struct loop *loop, struct redis *redis);
/* Call it after redis_abandon. s may be all zero. */
void census_stop(struct census *s);

#endif
