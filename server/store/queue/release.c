/* Takes back what relays hold no more: leases and slots of one that died, or that ran out. */
#include <stdio.h>
#include <stdlib.h>

#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/redis/call.h"
#include "server/store/queue/jobs.h"
#include "server/store/queue/jobs_internal.h"
#include "server/redis/redis.h"

long long jobs_integer(const redisReply *whole, size_t i)
{
	return whole && whole->type == REDIS_REPLY_ARRAY && i < whole->elements
		       ? whole->element[i]->integer
		       : 0;
}

/* What a dead owner leaves. */
struct release {
	struct redis *redis;
	char owner[96];
	unsigned partition;
	jobs_done_fn *fn;
	void *arg;
};

static void ask_release(struct release *h);

void jobs_count_released(const redisReply *reply)
{
	int64_t deferred = jobs_integer(reply, 1), failed = jobs_integer(reply, 2);
	int64_t held = jobs_integer(reply, 3);

	metric_add(METRIC_UNKNOWN_OUTCOMES, deferred + failed);
	metric_add(METRIC_DEFERRED, deferred);
	metric_add(METRIC_FAILED, failed);
	metric_add(METRIC_HELD, held);
	if (deferred + failed)
		LOG(LOG_WARN, "jobs.outcome_unknown", LOG_N("jobs", deferred + failed),
		    LOG_S("hint", "the relay died at the final dot"));
	if (held)
		LOG(LOG_ERROR, "jobs.held", LOG_N("jobs", held),
		    LOG_S("hint", "relays died with them again and again: look at GET "
				  "/v1/messages?status=held; POST .../retry lets them go"));
}

static void on_released(enum call_end end, const redisReply *reply, const struct err *why,
			void *arg)
{
	struct release *h = arg;
	bool has_more = end == CALL_ANSWERED && jobs_integer(reply, 5) == 1;

	if (end == CALL_ANSWERED && jobs_integer(reply, 0) > 0)
		LOG(LOG_WARN, "owner.released", LOG_S("owner", h->owner),
		    LOG_N("jobs", jobs_integer(reply, 0)));
	if (end == CALL_ANSWERED)
		jobs_count_released(reply);
	if (end == CALL_ANSWERED && !has_more)
		h->partition++;
	if (end == CALL_ANSWERED && h->partition < redis_partitions(h->redis)) {
		ask_release(h);
		return;
	}
	h->fn(end == CALL_ANSWERED ? NULL : why, h->arg);
	free(h);
}

static void ask_release(struct release *h)
{
	struct command c = {0};

	command_release(&c, h->partition, h->owner, redis_config(h->redis));
	redis_call(h->redis, &c, 0, 0, on_released, h);
}

void jobs_release_owner(struct redis *redis, const char *owner, jobs_done_fn *fn, void *arg)
{
	struct release *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	*h = (struct release){.redis = redis, .fn = fn, .arg = arg};
	snprintf(h->owner, sizeof(h->owner), "%s", owner);
	ask_release(h);
}

void command_release(struct command *c, unsigned partition, const char *owner,
		     const struct config *config)
{
	command_script(c, SCRIPT_RELEASE, partition);
	command_num(c, 100);
	command_num(c, config->retention_s * 1000);
	command_num(c, config->retry_first_s * 1000);
	command_num(c, 5);
	command_str(c, owner);
	command_num(c, random_below(1000));
}
