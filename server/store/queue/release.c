/* Takes back leases and slots of relays that died. */
#include "server/store/queue/release.h"

#include <stdio.h>

#include "lua_calls.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define STEP_MAX 100
#define HELD_AFTER 5 /* relays that died with the job: it is held */

/* The partitions are released one after the other, in steps of STEP_MAX jobs. */
struct release {
	struct redis *redis;
	char owner[96];
	unsigned partition;
	release_fn *fn;
	void *arg;
};

static void ask_release(const struct release *r);

struct release_count release_read(const struct resp *reply)
{
	int64_t deferred = resp_number_at(reply, RELEASE_DEFERRED),
		failed = resp_number_at(reply, RELEASE_FAILED);
	int64_t held = resp_number_at(reply, RELEASE_HELD);

	metric_add(METRIC_UNKNOWN_OUTCOMES, deferred + failed);
	metric_add(METRIC_DEFERRED, deferred);
	metric_add(METRIC_FAILED, failed);
	metric_add(METRIC_HELD, held);
	if (deferred + failed)
		LOG(LOG_WARN, "jobs.outcome_unknown", LOG_N("jobs", deferred + failed),
		    LOG_S("hint", "the relay died after it had sent the final dot"));
	if (held)
		LOG(LOG_ERROR, "jobs.held", LOG_N("jobs", held),
		    LOG_S("hint", "several relays died while they had these jobs: see GET "
				  "/v1/messages?status=held; POST .../retry starts them again"));
	return (struct release_count){resp_number_at(reply, RELEASE_RELEASED),
				      resp_number_at(reply, RELEASE_SILENT),
				      resp_number_at(reply, RELEASE_HAS_MORE) == 1};
}

static void on_released(const struct call_result *result, void *context)
{
	struct release *r = context;
	struct release_count count;

	if (result->end != CALL_ANSWERED) {
		r->fn(result->why, r->arg);
		return;
	}
	count = release_read(result->reply);
	if (count.jobs > 0)
		LOG(LOG_WARN, "owner.released", LOG_S("owner", r->owner),
		    LOG_N("jobs", count.jobs));
	/* A step that leaves nothing ends the partition. */
	if (!count.has_more)
		r->partition++;
	if (r->partition < redis_partitions(r->redis))
		ask_release(r);
	else
		r->fn(NULL, r->arg);
}

static void ask_release(const struct release *r)
{
	struct command c = {0};

	release_command(&c, r->partition, r->owner, redis_config(r->redis));
	redis_call(r->redis, &c, 0, 0, CALLBACK_COPY(on_released, *r));
}

void release_owner(struct redis *redis, const char *owner, release_fn *fn, void *arg)
{
	struct release r = {.redis = redis, .fn = fn, .arg = arg};

	snprintf(r.owner, sizeof(r.owner), "%s", owner);
	ask_release(&r);
}

void release_command(struct command *c, unsigned partition, const char *owner,
		     const struct config *config)
{
	script_release(c, partition,
		       &(struct script_release){
			       .most = STEP_MAX,
			       .retention_ms = config->retention_s * 1000,
			       .retry_ms = config->retry_first_s * 1000,
			       .crashes_max = HELD_AFTER,
			       .owner = owner,
			       /* Retries of one dead relay do not all come in the same moment. */
			       .spread = random_below(1000),
		       });
}
