/* Writes the results of attempts into the store. */
#include "server/store/queue/settle.h"

#include <stdio.h>
#include <stdlib.h>

#include "lua_calls.h"
#include "server/config/config.h"
#include "server/redis/batch.h"
#include "server/redis/redis.h"
#include "server/store/queue/job.h"

struct settle {
	struct batch_part part;
	char owner[96];
};

struct settle_item {
	struct batch_item item;
	settle_fn *fn;
	void *arg;
};

static void start_call(struct command *c, unsigned partition, void *arg)
{
	const struct settle *s = arg;

	script_settle(c, partition,
		      &(struct script_settle){
			      .owner = s->owner,
			      .retention_ms = redis_config(s->part.redis)->retention_s * 1000,
		      });
}

/* The reply has one number an item. */
static void on_settled(struct batch_item *item, const struct call_result *result, size_t at,
		       void *arg)
{
	static const enum settle_end how[] = {[SETTLE_STATUS_LOST] = SETTLED_LOST,
					      [SETTLE_STATUS_APPLIED] = SETTLED_APPLIED,
					      [SETTLE_STATUS_BEFORE] = SETTLED_BEFORE,
					      [SETTLE_STATUS_LATE] = SETTLED_LATE,
					      [SETTLE_STATUS_GONE] = SETTLED_GONE};
	struct settle_item *it = (struct settle_item *)item;
	int64_t n = resp_number_at(result->reply, at);

	(void)arg;
	it->fn(result->end == CALL_ANSWERED && n >= 0 && n <= SETTLE_STATUS_GONE ? how[n]
										 : SETTLED_UNKNOWN,
	       it->arg);
	free(it);
}

static const struct batch_kind kind = {.connection = 0,
				       .max_items = 64,
				       .max_in_flight = 1,
				       .width = 1,
				       .start = start_call,
				       .answer = on_settled};

static void *settle_make(struct redis *redis)
{
	return batch_part_make(redis, &kind, sizeof(struct settle));
}

static const struct redis_part_kind settle_kind = {
	.make = settle_make, .abandon = batch_part_abandon, .free_fn = batch_part_free};

/* NULL: out of memory. */
static struct settle_item *add_item(struct redis *redis, const char *owner, const char *ref,
				    struct command *args)
{
	struct settle *s = redis_part(redis, &settle_kind);
	struct settle_item *it = s ? calloc(1, sizeof(*it)) : NULL;

	if (!it)
		return NULL;
	/* A process has one owner, which does not change. */
	if (!*s->owner)
		snprintf(s->owner, sizeof(s->owner), "%s", owner);
	it->item.args = *args;
	if (batch_add(s->part.batch, job_partition(ref), &it->item) == 0)
		return it;
	free(it);
	return NULL;
}

struct refused {
	settle_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	struct refused *r = context;

	(void)result;
	r->fn(SETTLED_UNKNOWN, r->arg);
}

void settle_results(struct redis *redis, const char *owner, const char *ref, int64_t epoch,
		    int64_t retry_ms, const char *results, settle_fn *fn, void *arg)
{
	struct refused refused = {fn, arg};
	struct command args = {0};
	struct settle_item *it;

	command_args(&args);
	script_settle_item(&args, &(struct script_settle_item){.ref = ref,
							       .epoch = epoch,
							       .retry_ms = retry_ms,
							       .results = results});
	it = add_item(redis, owner, ref, &args);
	if (it) {
		it->fn = fn;
		it->arg = arg;
		return;
	}
	/* Without memory for the item, the caller learns it later, as from any call. */
	command_deinit(&args);
	redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
}

size_t settle_unanswered(struct redis *redis)
{
	const struct settle *s = redis_part(redis, &settle_kind);

	return s ? batch_unanswered(s->part.batch) : 0;
}
