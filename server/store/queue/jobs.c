/* The relay's calls: fence, renewal, results, what is given back; each kind in batches. */
#include "server/store/queue/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/store/messages/transcripts.h"
#include "server/redis/batch.h"
#include "server/store/queue/jobs_internal.h"
#include "server/redis/redis.h"

#define DOT_LEASE_MS 660000 /* the 10 minutes of RFC 5321 4.5.3.2.6, and one more */
#define SITE_LEARNED_S 86400

enum kind { KIND_DOT, KIND_RENEW, KIND_SETTLE, KIND_GIVEBACK, KIND_SLOT, KINDS };
#define BATCHES ((size_t)ID_PARTITIONS * KINDS)

struct jobs_item {
	struct batch_item item;
	char ref[JOB_REF_MAX];
	int64_t epoch;
	int64_t asked_ms;
	union {
		jobs_fence_fn *fence;
		jobs_renewed_fn *renewed;
		jobs_settle_fn *settled;
		jobs_done_fn *done;
	} fn;
	void *arg;
};

struct jobs {
	struct redis *redis;
	char owner[96];
	unsigned slot_request;
	struct batch *batches[BATCHES]; /* made on first use */
};

/* ---- the kinds ---- */

static void head_dot(struct command *c, void *arg)
{
	struct jobs *j = arg;

	command_str(c, j->owner);
	command_num(c, DOT_LEASE_MS);
	command_num(c, 1);
	command_num(c, JOBS_OWNER_MS);
}

static void head_renew(struct command *c, void *arg)
{
	struct jobs *j = arg;

	command_str(c, j->owner);
	command_num(c, JOBS_LEASE_MS);
	command_num(c, 0);
	command_num(c, JOBS_OWNER_MS);
}

static void head_settle(struct command *c, void *arg)
{
	struct jobs *j = arg;

	command_str(c, j->owner);
	command_num(c, redis_config(j->redis)->retention_s * 1000);
}

static void head_giveback(struct command *c, void *arg)
{
	struct jobs *j = arg;

	command_str(c, j->owner);
	command_num(c, SITE_LEARNED_S);
}

static void head_slot(struct command *c, void *arg)
{
	struct jobs *j = arg;

	command_str(c, j->owner);
	command_num(c, ++j->slot_request);
}

static void answer_dot(struct batch_item *item, const redisReply *whole, size_t i, void *arg)
{
	struct jobs_item *it = (struct jobs_item *)item;

	(void)arg;
	it->fn.fence(jobs_integer(whole, i + 1) == 1, it->asked_ms + DOT_LEASE_MS, it->arg);
	free(it);
}

static void answer_renew(struct batch_item *item, const redisReply *whole, size_t i, void *arg)
{
	struct jobs_item *it = (struct jobs_item *)item;

	(void)arg;
	if (it->fn.renewed)
		it->fn.renewed(it->ref, it->epoch, jobs_integer(whole, i + 1) == 1,
			       it->asked_ms + JOBS_LEASE_MS, it->arg);
	free(it);
}

static void answer_settle(struct batch_item *item, const redisReply *whole, size_t i, void *arg)
{
	static const enum jobs_settled how[] = {SETTLED_LOST, SETTLED_APPLIED, SETTLED_BEFORE,
						SETTLED_LATE, SETTLED_GONE};
	struct jobs_item *it = (struct jobs_item *)item;
	long long n = jobs_integer(whole, i);

	(void)arg;
	it->fn.settled(whole && n >= 0 && n <= 4 ? how[n] : SETTLED_UNANSWERED, it->arg);
	free(it);
}

static void answer_plain(struct batch_item *item, const redisReply *whole, size_t i, void *arg)
{
	struct jobs_item *it = (struct jobs_item *)item;
	struct err why;

	(void)i;
	(void)arg;
	if (it->fn.done && whole)
		it->fn.done(NULL, it->arg);
	else if (it->fn.done) {
		err_set(&why, ERR_INTERNAL, "the store refused it");
		it->fn.done(&why, it->arg);
	}
	free(it);
}

static const struct batch_kind kinds[KINDS] = {
	[KIND_DOT] = {SCRIPT_DOT, 0, 64, head_dot, answer_dot},
	[KIND_RENEW] = {SCRIPT_DOT, 1, 256, head_renew, answer_renew},
	[KIND_SETTLE] = {SCRIPT_SETTLE, 0, 64, head_settle, answer_settle},
	[KIND_GIVEBACK] = {SCRIPT_GIVEBACK, 1, 64, head_giveback, answer_plain},
	[KIND_SLOT] = {SCRIPT_SLOT, 1, 64, head_slot, answer_plain},
};

static void *jobs_make(struct redis *redis)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->redis = redis;
	return j;
}

static void jobs_free(void *state)
{
	struct jobs *j = state;

	for (size_t i = 0; i < BATCHES; i++) {
		if (j->batches[i])
			batch_deinit(j->batches[i]);
		free(j->batches[i]);
	}
	free(j);
}

static void jobs_abandon(void *state)
{
	struct jobs *j = state;

	for (size_t i = 0; i < BATCHES; i++)
		if (j->batches[i])
			batch_abandon(j->batches[i]);
}

static const struct redis_part_kind jobs_kind = {
	.make = jobs_make, .abandon = jobs_abandon, .free_fn = jobs_free};

/* An owner is asked for before the store answered, which is when it tells its partitions. */
static struct batch *batch_of(struct redis *redis, const char *owner, enum kind kind,
			      unsigned partition)
{
	struct jobs *j = redis_part(redis, PART_JOBS, &jobs_kind);
	struct batch **kept, *b;

	if (!j)
		abort();
	if (!*j->owner)
		snprintf(j->owner, sizeof(j->owner), "%s", owner);
	kept = &j->batches[partition % ID_PARTITIONS * KINDS + (unsigned)kind];
	b = *kept;
	if (b)
		return b;
	b = malloc(sizeof(*b));
	if (!b || batch_init(b, redis, &kinds[kind], partition % ID_PARTITIONS, j) < 0)
		abort();
	*kept = b;
	return b;
}

static struct jobs_item *item_new(const char *ref, int64_t epoch, void *arg)
{
	struct jobs_item *it = calloc(1, sizeof(*it));

	if (!it)
		abort(); /* crash-only: the leases go back to the queue */
	snprintf(it->ref, sizeof(it->ref), "%s", ref);
	it->epoch = epoch;
	it->asked_ms = clock_mono_ms();
	it->arg = arg;
	command_args(&it->item.args);
	if (*ref) {
		command_str(&it->item.args, ref);
		command_num(&it->item.args, epoch);
	}
	return it;
}

static unsigned partition_of(const char *ref)
{
	char id[ID_LEN + 1];

	snprintf(id, sizeof(id), "%.*s", ID_LEN, ref);
	return id_partition(id);
}

static void add(struct redis *redis, const char *owner, enum kind kind, unsigned partition,
		struct jobs_item *it)
{
	batch_add(batch_of(redis, owner, kind, partition), &it->item);
}

void jobs_dot(struct redis *redis, const char *owner, const struct job *job, jobs_fence_fn *fn,
	      void *arg)
{
	struct jobs_item *it = item_new(job->ref, job->epoch, arg);

	it->fn.fence = fn;
	add(redis, owner, KIND_DOT, partition_of(job->ref), it);
}

/* With nothing to renew, the owner's sign of life goes out alone, for a job that nobody has. */
static void sign_of_life(struct redis *redis, const char *owner)
{
	for (unsigned p = 0; p < redis_partitions(redis); p++)
		if (batch_unanswered(batch_of(redis, owner, KIND_RENEW, p)) == 0)
			add(redis, owner, KIND_RENEW, p, item_new("-", 0, NULL));
}

void jobs_renew(struct redis *redis, const char *owner, struct job *const *jobs, size_t n,
		jobs_renewed_fn *fn, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		struct jobs_item *it = item_new(jobs[i]->ref, jobs[i]->epoch, arg);

		it->fn.renewed = fn;
		add(redis, owner, KIND_RENEW, partition_of(jobs[i]->ref), it);
	}
	sign_of_life(redis, owner);
}

void jobs_settle(struct redis *redis, const char *owner, const char *ref, int64_t epoch,
		 int64_t retry_ms, const char *results, jobs_settle_fn *fn, void *arg)
{
	struct jobs_item *it = item_new(ref, epoch, arg);

	it->fn.settled = fn;
	command_num(&it->item.args, retry_ms);
	command_str(&it->item.args, results);
	add(redis, owner, KIND_SETTLE, partition_of(ref), it);
}

void jobs_give_back(struct redis *redis, const char *owner, const struct job *job, const char *site,
		    int64_t delay_ms)
{
	struct jobs_item *it = item_new(job->ref, job->epoch, NULL);

	command_str(&it->item.args, site ? site : "");
	command_num(&it->item.args, delay_ms);
	add(redis, owner, KIND_GIVEBACK, partition_of(job->ref), it);
}

void jobs_give_slots(struct redis *redis, const char *owner, unsigned partition, const char *site,
		     unsigned count, jobs_done_fn *fn, void *arg)
{
	struct jobs_item *it = item_new("", 0, arg);

	it->fn.done = fn;
	command_str(&it->item.args, site);
	command_num(&it->item.args, count);
	add(redis, owner, KIND_SLOT, partition, it);
}

size_t jobs_unanswered(struct redis *redis)
{
	const struct jobs *j = redis_part(redis, PART_JOBS, &jobs_kind);
	size_t n = transcripts_unanswered(redis);

	for (size_t i = 0; j && i < BATCHES; i++)
		if (j->batches[i] && i % KINDS != KIND_RENEW)
			n += batch_unanswered(j->batches[i]);
	return n;
}

/* ---- wake-ups ---- */

struct wake {
	jobs_wake_fn *fn;
	void *arg;
};

static void on_wake(const char *text, size_t len, void *arg)
{
	struct wake *w = arg;

	(void)text;
	(void)len;
	w->fn(w->arg);
}

void jobs_listen(struct redis *redis, jobs_wake_fn *fn, void *arg)
{
	static struct wake wake; /* one relay a process */

	wake = (struct wake){fn, arg};
	redis_subscribe(redis, "wake", on_wake, &wake);
}
