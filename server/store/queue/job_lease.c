/* The leases of a relay. */
#include "server/store/queue/job_lease.h"

#include <stdio.h>
#include <stdlib.h>

#include "lua_calls.h"
#include "server/base/clock.h"
#include "server/redis/batch.h"
#include "server/redis/redis.h"
#include "server/store/queue/job.h"

#define FENCE_MS 660000 /* the 10 minutes of RFC 5321 4.5.3.2.6, and one more */
#define SITE_LEARNED_S 86400

struct lease {
	char owner[96];
	struct batch *fence, *renew, *give_back;
};

struct lease_item {
	struct batch_item item;
	char ref[JOB_REF_MAX];
	int64_t epoch, asked_ms;
	job_lease_fence_fn *fence;
	job_lease_renew_fn *renewed;
	void *arg;
};

/* ---- the kinds of requests ---- */

static void start_fence(struct command *c, unsigned partition, void *arg)
{
	const struct lease *l = arg;

	script_dot(c, partition,
		   &(struct script_dot){.owner = l->owner,
					.lease_ms = FENCE_MS,
					.is_dot = true,
					.silence_ms = JOB_LEASE_OWNER_MS});
}

static void start_renew(struct command *c, unsigned partition, void *arg)
{
	const struct lease *l = arg;

	script_dot(c, partition,
		   &(struct script_dot){.owner = l->owner,
					.lease_ms = JOB_LEASE_MS,
					.is_dot = false,
					.silence_ms = JOB_LEASE_OWNER_MS});
}

static void start_give_back(struct command *c, unsigned partition, void *arg)
{
	const struct lease *l = arg;

	script_giveback(
		c, partition,
		&(struct script_giveback){.owner = l->owner, .site_life_s = SITE_LEARNED_S});
}

static void on_fence(struct batch_item *item, const struct call_result *result, size_t at,
		     void *arg)
{
	struct lease_item *it = (struct lease_item *)item;

	(void)arg;
	it->fence(resp_number_at(result->reply, at) == 1, it->asked_ms + FENCE_MS, it->arg);
	free(it);
}

static void on_renew(struct batch_item *item, const struct call_result *result, size_t at,
		     void *arg)
{
	struct lease_item *it = (struct lease_item *)item;

	(void)arg;
	if (it->renewed)
		it->renewed(it->ref, it->epoch, resp_number_at(result->reply, at) == 1,
			    it->asked_ms + JOB_LEASE_MS, it->arg);
	free(it);
}

static void on_given_back(struct batch_item *item, const struct call_result *result, size_t at,
			  void *arg)
{
	(void)result;
	(void)at;
	(void)arg;
	free(item);
}

static const struct batch_kind fence_kind = {.connection = 0,
					     .max_items = 64,
					     .max_in_flight = 1,
					     .first = 1,
					     .width = 1,
					     .start = start_fence,
					     .answer = on_fence};
static const struct batch_kind renew_kind = {.connection = 1,
					     .max_items = 256,
					     .max_in_flight = 1,
					     .first = 1,
					     .width = 1,
					     .start = start_renew,
					     .answer = on_renew};
static const struct batch_kind give_back_kind = {.connection = 1,
						 .max_items = 64,
						 .max_in_flight = 1,
						 .start = start_give_back,
						 .answer = on_given_back};

/* ---- the part of the store ---- */

static void lease_free(void *state)
{
	struct lease *l = state;

	batch_free(l->fence);
	batch_free(l->renew);
	batch_free(l->give_back);
	free(l);
}

static void *lease_make(struct redis *redis)
{
	struct lease *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fence = batch_new(redis, &fence_kind, l);
	l->renew = batch_new(redis, &renew_kind, l);
	l->give_back = batch_new(redis, &give_back_kind, l);
	if (!l->fence || !l->renew || !l->give_back) {
		lease_free(l);
		return NULL;
	}
	return l;
}

static void lease_abandon(void *state)
{
	struct lease *l = state;

	batch_abandon(l->fence);
	batch_abandon(l->renew);
	batch_abandon(l->give_back);
}

static const struct redis_part_kind lease_kind = {
	.make = lease_make, .abandon = lease_abandon, .free_fn = lease_free};

static struct lease *lease_of(struct redis *redis, const char *owner)
{
	struct lease *l = redis_part(redis, &lease_kind);

	if (l && !*l->owner)
		snprintf(l->owner, sizeof(l->owner), "%s", owner);
	return l;
}

static struct lease_item *new_item(const char *ref, int64_t epoch, void *arg)
{
	struct lease_item *it = calloc(1, sizeof(*it));

	if (!it)
		return NULL;
	snprintf(it->ref, sizeof(it->ref), "%s", ref);
	it->epoch = epoch;
	it->asked_ms = clock_mono_ms();
	it->arg = arg;
	command_args(&it->item.args);
	return it;
}

static int add(struct batch *b, unsigned partition, struct lease_item *it)
{
	if (batch_add(b, partition, &it->item) == 0)
		return 0;
	command_deinit(&it->item.args);
	free(it);
	return -1;
}

/* Adds an item to the fences or renewals. */
static int add_dot(struct batch *b, unsigned partition, struct lease_item *it)
{
	script_dot_item(&it->item.args,
			&(struct script_dot_item){.ref = it->ref, .epoch = it->epoch});
	return add(b, partition, it);
}

/* ---- fence ---- */

struct refused_fence {
	job_lease_fence_fn *fn;
	void *arg;
};

static void on_refused_fence(const struct call_result *result, void *context)
{
	struct refused_fence *f = context;

	(void)result;
	f->fn(false, 0, f->arg);
}

void job_lease_fence(struct redis *redis, const char *owner, const struct job *j,
		     job_lease_fence_fn *fn, void *arg)
{
	struct lease *l = lease_of(redis, owner);
	struct lease_item *it = l ? new_item(j->ref, j->epoch, arg) : NULL;
	struct refused_fence refused = {fn, arg};

	if (it)
		it->fence = fn;
	if (!it || add_dot(l->fence, job_partition(j->ref), it) < 0)
		redis_call_oom(redis, CALLBACK_COPY(on_refused_fence, refused));
}

/* ---- renewal ---- */

/* Without a lease to renew, the sign of life goes out for a job that does not exist. */
static void add_sign_of_life(struct redis *redis, struct lease *l)
{
	for (unsigned p = 0; p < redis_partitions(redis); p++) {
		struct lease_item *it =
			batch_unanswered_in(l->renew, p) ? NULL : new_item("-", 0, NULL);

		if (it)
			add_dot(l->renew, p, it);
	}
}

/* A lease that cannot be renewed for lack of memory stays as it is until the next renewal. */
void job_lease_renew(struct redis *redis, const char *owner, struct job *const *jobs, size_t n,
		     job_lease_renew_fn *fn, void *arg)
{
	struct lease *l = lease_of(redis, owner);

	if (!l)
		return;
	for (size_t i = 0; i < n; i++) {
		struct lease_item *it = new_item(jobs[i]->ref, jobs[i]->epoch, arg);

		if (!it)
			continue;
		it->renewed = fn;
		add_dot(l->renew, job_partition(jobs[i]->ref), it);
	}
	add_sign_of_life(redis, l);
}

/* ---- giving back ---- */

void job_lease_give_back(struct redis *redis, const char *owner, const struct job *j,
			 const char *site, int64_t delay_ms)
{
	struct lease *l = lease_of(redis, owner);
	struct lease_item *it = l ? new_item(j->ref, j->epoch, NULL) : NULL;

	if (!it)
		return;
	script_giveback_item(&it->item.args, &(struct script_giveback_item){.ref = j->ref,
									    .epoch = j->epoch,
									    .taken_site = j->site,
									    .site = site,
									    .delay_ms = delay_ms});
	add(l->give_back, job_partition(j->ref), it);
}

size_t job_lease_unanswered(struct redis *redis)
{
	const struct lease *l = redis_part(redis, &lease_kind);

	return l ? batch_unanswered(l->fence) + batch_unanswered(l->give_back) : 0;
}
