/* Takes jobs and slots from the queue. */
#include "server/store/queue/take.h"

#include <stdlib.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/queue/job_lease.h"

#define MAX_BYTES (1 << 20)
#define SHARE_BULK 100 /* per mille of the taken jobs while bulk waits */
#define SHARE_NORMAL 200

struct take {
	struct redis *redis;
	unsigned partition, max_jobs;
	int64_t lease_until_ms;
	take_fn *fn;
	void *arg;
};

static int read_slots(const struct resp *array, size_t at, void *out, void *context)
{
	(void)context;
	*(struct take_slots *)out =
		(struct take_slots){resp_text(resp_item(array, at + TAKE_SLOT_SITE)),
				    (unsigned)resp_number_at(array, at + TAKE_SLOT_CONNECTIONS),
				    resp_text(resp_item(array, at + TAKE_SLOT_PROJECT))};
	return 0;
}

static int read_job(const struct resp *array, size_t at, void *out, void *context)
{
	const struct take *t = context;
	struct job **j = out;

	*j = job_read(array, at, t->lease_until_ms);
	return *j ? 0 : -1;
}

static size_t mail_bytes(const struct take_result *taken)
{
	size_t bytes = 0;

	for (size_t i = 0; i < taken->n_jobs; i++)
		if (!taken->jobs[i]->record.chunks)
			bytes += taken->jobs[i]->record.packed_bytes;
	return bytes;
}

static int give(struct take *t, const struct resp *reply, struct err *e)
{
	static const struct resp_shape slots_shape = {0, TAKE_SLOT_WORDS, sizeof(struct take_slots),
						      read_slots, NULL};
	static const struct resp_shape jobs_shape = {0, TAKE_JOB_WORDS, sizeof(struct job *),
						     read_job, NULL};
	struct resp_rows slots, jobs;
	struct take_result taken;

	if (resp_read_rows(resp_item(reply, TAKE_GRANTED), &slots_shape, NULL, &slots, e) < 0)
		return -1;
	if (resp_read_rows(resp_item(reply, TAKE_JOBS), &jobs_shape, t, &jobs, e) < 0) {
		free(slots.list);
		return -1;
	}
	taken = (struct take_result){
		.jobs = jobs.list,
		.n_jobs = jobs.n,
		.slots = slots.list,
		.n_slots = slots.n,
		.waiting = (enum take_waiting)resp_number_at(reply, TAKE_WAITING)};
	taken.is_full = taken.n_jobs >= t->max_jobs || mail_bytes(&taken) >= MAX_BYTES;
	metric_add(METRIC_TAKEN, (int64_t)taken.n_jobs);
	t->fn(&taken, t->arg);
	free(jobs.list);
	free(slots.list);
	return 0;
}

static void on_taken(const struct call_result *result, void *context)
{
	const struct resp *reply = result->reply;
	struct take *t = context;
	struct err e;

	if (result->end == CALL_ANSWERED && resp_count(reply) == TAKE_WORDS) {
		redis_saw_time(t->redis, t->partition, resp_number_at(reply, TAKE_NOW_MS));
		metric_add(METRIC_EXPIRED, resp_number_at(reply, TAKE_EXPIRED));
		metric_add(METRIC_DEFERRED, resp_number_at(reply, TAKE_DEFERRED));
		if (give(t, reply, &e) == 0)
			return;
		LOG(LOG_ERROR, "take.failed", LOG_S("reason", e.text));
	}
	t->fn(NULL, t->arg);
}

/* Each partition that new messages use has an equal part of the limit of a site. */
static int64_t site_limit(const struct redis *redis)
{
	int64_t limit = redis_config(redis)->site_connections / (int64_t)redis_spread(redis);

	return limit > 0 ? limit : 1;
}

static int64_t free_argument(const struct take_request *request)
{
	if (!request->free_connections && !request->asks_waiting)
		return -1;
	return request->free_connections;
}

void take_jobs(struct redis *redis, const char *owner, unsigned partition,
	       const struct take_request *request, take_fn *fn, void *arg)
{
	static unsigned number;
	struct take t = {redis, partition, request->max_jobs, clock_mono_ms() + JOB_LEASE_MS,
			 fn,    arg};
	struct command c = {0};

	script_take(&c, partition,
		    &(struct script_take){
			    .owner = owner,
			    .request = ++number,
			    .max_jobs = request->max_jobs,
			    .max_bytes = MAX_BYTES,
			    .lease_ms = JOB_LEASE_MS,
			    .silence_ms = JOB_LEASE_OWNER_MS,
			    .site_limit = site_limit(redis),
			    .free = free_argument(request),
			    .otp_free = request->otp_connections,
			    .capped = request->capped,
			    .bulk_share = SHARE_BULK,
			    .normal_share = SHARE_NORMAL,
			    .retention_ms = redis_config(redis)->retention_s * 1000,
			    .is_complete = request->is_complete,
		    });
	for (size_t i = 0; i < request->n_sites; i++)
		script_take_item(&c,
				 &(struct script_take_item){.site = request->sites[i].site,
							    .wanted = request->sites[i].want,
							    .more = request->sites[i].grow,
							    .connections = request->sites[i].has});
	metric_add(METRIC_TAKE_CALLS, 1);
	redis_call(redis, &c, 1, 0, CALLBACK_COPY(on_taken, t));
}

/* ---- wake-ups ---- */

struct wake {
	take_wake_fn *fn;
	void *arg;
};

static void on_wake(unsigned partition, const char *text, size_t len, void *arg)
{
	struct wake *w = arg;

	(void)text;
	(void)len;
	w->fn(partition, w->arg);
}

void take_listen(struct redis *redis, take_wake_fn *fn, void *arg)
{
	static struct wake wake; /* one relay a process */

	wake = (struct wake){fn, arg};
	redis_subscribe(redis, KEY_WAKE, on_wake, &wake);
}
