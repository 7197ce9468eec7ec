/* Returns slots of sites. */
#include "server/store/queue/slots.h"

#include <stdio.h>
#include <stdlib.h>

#include "lua_calls.h"
#include "server/redis/batch.h"
#include "server/redis/redis.h"

struct slots {
	struct batch_part part;
	char owner[96];
	unsigned request; /* a call that is repeated keeps its number */
};

struct slots_item {
	struct batch_item item;
	slots_fn *fn;
	void *arg;
};

static void start_call(struct command *c, unsigned partition, void *arg)
{
	struct slots *s = arg;

	script_slot(c, partition,
		    &(struct script_slot){.owner = s->owner, .request = ++s->request});
}

static void on_given_back(struct batch_item *item, const struct call_result *result, size_t at,
			  void *arg)
{
	struct slots_item *it = (struct slots_item *)item;

	(void)at;
	(void)arg;
	if (it->fn)
		it->fn(result->why, it->arg);
	free(it);
}

static const struct batch_kind kind = {.connection = 1,
				       .max_items = 64,
				       .max_in_flight = 1,
				       .start = start_call,
				       .answer = on_given_back};

static void *slots_make(struct redis *redis)
{
	return batch_part_make(redis, &kind, sizeof(struct slots));
}

static const struct redis_part_kind slots_kind = {
	.make = slots_make, .abandon = batch_part_abandon, .free_fn = batch_part_free};

struct refused {
	slots_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	struct refused *r = context;

	if (r->fn)
		r->fn(result->why, r->arg);
}

void slots_give_back(struct redis *redis, const char *owner, unsigned partition, const char *site,
		     unsigned count, slots_fn *fn, void *arg)
{
	struct slots *s = redis_part(redis, &slots_kind);
	struct slots_item *it = s ? calloc(1, sizeof(*it)) : NULL;
	struct refused refused = {fn, arg};

	if (it) {
		if (!*s->owner)
			snprintf(s->owner, sizeof(s->owner), "%s", owner);
		*it = (struct slots_item){.fn = fn, .arg = arg};
		command_args(&it->item.args);
		script_slot_item(&it->item.args,
				 &(struct script_slot_item){.site = site, .connections = count});
		if (batch_add(s->part.batch, partition, &it->item) == 0)
			return;
		command_deinit(&it->item.args);
		free(it);
	}
	redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
}

size_t slots_unanswered(struct redis *redis)
{
	const struct slots *s = redis_part(redis, &slots_kind);

	return s ? batch_unanswered(s->part.batch) : 0;
}
