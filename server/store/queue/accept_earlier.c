/* Finds the message of an Idempotency-Key where it was before the number of partitions grew. */
#include "server/store/queue/accept_earlier.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lua_calls.h"
#include "server/base/links.h"
#include "server/base/loop.h"
#include "server/config/config.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"
#include "server/store/queue/accept_place.h"

#define LIMIT_MS 5000
#define WAIT_MAX_MS 5000

/* A search under way. It asks one partition after the other, from the latest step to the first. */
struct search {
	struct searches *all;
	struct search *prev, *next;
	struct redis *redis;
	char project[ACCEPT_PROJECT_MAX], key[ACCEPT_KEY_MAX];
	unsigned step; /* whose partition is asked */
	unsigned last; /* of the new message */
	struct loop_timer timer;
	accept_earlier_fn *fn;
	void *arg;
};

struct searches {
	struct search *first;
};

/* ---- which partitions ---- */

/* True if the key selects the same partition in a later step up to this one: it has been, or will
 * be, asked. */
static bool is_place_of_later(const struct partitions *all, const char *project, const char *key,
			      unsigned step, unsigned last)
{
	unsigned place = accept_place(project, key, all->steps[step].n);

	for (unsigned i = step + 1; i <= last; i++)
		if (accept_place(project, key, all->steps[i].n) == place)
			return true;
	return false;
}

/* The latest step before `from` that may have a message of the key elsewhere. -1: none. */
static int earlier_step(const struct redis *redis, const char *project, const char *key,
			unsigned from, unsigned last)
{
	const struct partitions *all = redis_growth(redis);
	int64_t oldest_ms = redis_time_ms(redis) - redis_config(redis)->idempotency_s * 1000;

	for (unsigned i = from; i-- > 0;) {
		if (all->steps[i + 1].from_ms < oldest_ms)
			return -1; /* the keys of this step have expired */
		if (!is_place_of_later(all, project, key, i, last))
			return (int)i;
	}
	return -1;
}

static unsigned step_of(const struct partitions *all, unsigned n)
{
	unsigned i = all->n_steps - 1;

	while (i > 0 && all->steps[i].n > n)
		i--;
	return i;
}

/* ---- the search ---- */

static void end_search(struct search *s, const char *value, const struct err *why)
{
	LINKS_REMOVE(s->all->first, s);
	loop_timer_deinit(&s->timer);
	s->fn(value, why, s->arg);
	free(s);
}

static void ask(struct search *s);

/* The partition is used for a key from half a second before its step on. */
static void wait_for_step(struct search *s, int64_t ms)
{
	struct err why;

	if (ms <= WAIT_MAX_MS) {
		loop_timer_set(&s->timer, ms);
		return;
	}
	err_set(&why, ERR_RETRY, "the clocks of Redis and of this machine do not agree");
	end_search(s, NULL, &why);
}

/* Until the step has ended, its partition may get a message by the clock of this partition. */
static void take_value(struct search *s, const char *value, int64_t now_ms)
{
	int64_t end_ms = redis_growth(s->redis)->steps[s->step + 1].from_ms;
	int earlier;

	if (!*value && now_ms < end_ms) {
		wait_for_step(s, end_ms - now_ms);
		return;
	}
	earlier = *value ? -1 : earlier_step(s->redis, s->project, s->key, s->step, s->last);
	if (earlier < 0) {
		end_search(s, value, NULL);
		return;
	}
	s->step = (unsigned)earlier;
	ask(s);
}

static void on_asked(const struct call_result *result, void *context)
{
	const struct resp *reply = result->reply;

	if (result->end == CALL_ANSWERED)
		take_value(context, resp_text(resp_item(reply, ACCEPT_EARLIER_VALUE)),
			   resp_number_at(reply, ACCEPT_EARLIER_NOW_MS));
	else
		end_search(context, NULL, result->why);
}

static void ask(struct search *s)
{
	unsigned n = redis_growth(s->redis)->steps[s->step].n;
	struct command c = {0};

	script_accept_earlier(
		&c, accept_place(s->project, s->key, n),
		&(struct script_accept_earlier){.project = s->project, .idempotency = s->key});
	redis_call(s->redis, &c, 1, LIMIT_MS, CALLBACK(on_asked, s));
}

static void on_time(void *arg)
{
	ask(arg);
}

/* ---- the part of the client ---- */

static void *searches_make(struct redis *redis)
{
	(void)redis;
	return calloc(1, sizeof(struct searches));
}

/* The calls have ended, and their searches with them: these wait for a step to begin. */
static void searches_abandon(void *state)
{
	struct searches *all = state;
	struct err why;

	err_set(&why, ERR_RETRY, "the process is stopping");
	while (all->first)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): end_search unlinks it first */
		end_search(all->first, NULL, &why);
}

static const struct redis_part_kind searches_kind = {
	.make = searches_make, .abandon = searches_abandon, .free_fn = free};

static struct search *new_search(struct redis *redis)
{
	struct searches *all = redis_part(redis, &searches_kind);
	struct search *s = all ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	if (loop_timer_init(&s->timer, redis_loop(redis), on_time, s) < 0) {
		free(s);
		return NULL;
	}
	s->all = all;
	LINKS_ADD(all->first, s);
	return s;
}

struct refused {
	accept_earlier_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	const struct refused *r = context;

	r->fn(NULL, result->why, r->arg);
}

bool accept_earlier_find(struct redis *redis, const char *project, const char *key, unsigned n,
			 accept_earlier_fn *fn, void *arg)
{
	unsigned last = step_of(redis_growth(redis), n);
	int step = earlier_step(redis, project, key, last, last);
	struct refused refused = {fn, arg};
	struct search *s;

	if (step < 0)
		return false;
	s = new_search(redis);
	if (!s) {
		redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
		return true;
	}
	s->redis = redis;
	snprintf(s->project, sizeof(s->project), "%s", project);
	snprintf(s->key, sizeof(s->key), "%s", key);
	s->step = (unsigned)step;
	s->last = last;
	s->fn = fn;
	s->arg = arg;
	ask(s);
	return true;
}
