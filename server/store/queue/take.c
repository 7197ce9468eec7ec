/* Takes jobs from the queue, and reads their mail. */
#include "server/store/queue/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/call.h"
#include "server/store/messages/content.h"
#include "server/store/queue/jobs_internal.h"
#include "server/redis/redis.h"

#define MAX_BYTES (1 << 20)
#define SHARE_BULK 100 /* per mille of what is taken, while bulk waits */
#define SHARE_NORMAL 200
#define MAIL_LIMIT ((size_t)64 << 20)
#define JOB_FIELDS 5

struct take {
	struct redis *redis;
	unsigned max_jobs;
	int64_t asked_ms;
	jobs_take_fn *fn;
	void *arg;
};

void job_free(struct job *j)
{
	if (!j)
		return;
	record_deinit(&j->record);
	free(j->mail);
	free(j);
}

const char *job_message(const struct job *j, char out[31])
{
	snprintf(out, 31, "%.*s", ID_LEN, j->ref);
	return out;
}

static int unpack(struct job *j, const char *packed, size_t len)
{
	struct buf mail = {0};
	struct err e;

	if (content_unpack(packed, len, MAIL_LIMIT, &mail, &e) < 0) {
		buf_deinit(&mail);
		LOG(LOG_ERROR, "job.content_damaged", LOG_B("message", j->ref, ID_LEN),
		    LOG_S("reason", e.text));
		return -1;
	}
	j->mail_len = mail.len;
	j->mail = buf_give(&mail);
	return j->mail ? 0 : -1;
}

/* ref, epoch, site, record, content */
static struct job *job_of(redisReply *const *r, int64_t lease_until_ms)
{
	struct job *j = calloc(1, sizeof(*j));
	struct err e;

	if (!j)
		abort();
	if (r[0]->type != REDIS_REPLY_STRING || r[0]->len != ID_LEN + 3 ||
	    r[2]->type != REDIS_REPLY_STRING || r[3]->type != REDIS_REPLY_STRING ||
	    record_parse(r[3]->str, r[3]->len, &j->record, &e) < 0) {
		LOG(LOG_ERROR, "job.record_damaged", LOG_S("job", r[0]->str));
		free(j);
		return NULL;
	}
	snprintf(j->ref, sizeof(j->ref), "%s", r[0]->str);
	snprintf(j->site, sizeof(j->site), "%s", r[2]->str);
	j->epoch = r[1]->integer;
	j->number = (unsigned)strtoul(j->ref + ID_LEN, NULL, 16);
	j->lease_until_ms = lease_until_ms;
	if (j->number >= j->record.n_jobs ||
	    (j->record.chunks == 0 && unpack(j, r[4]->str, r[4]->len) < 0)) {
		job_free(j);
		return NULL;
	}
	return j;
}

static void give(struct take *t, const redisReply *slots, const redisReply *rows)
{
	struct jobs_taken taken = {0};
	size_t bytes = 0;
	struct jobs_slots *list = calloc(slots->elements / 2 + 1, sizeof(*list));

	taken.jobs = calloc(rows->elements / JOB_FIELDS + 1, sizeof(struct job *));
	if (!list || !taken.jobs)
		abort();
	for (size_t i = 0; i + 1 < slots->elements; i += 2)
		list[taken.n_slots++] = (struct jobs_slots){
			slots->element[i]->str, (unsigned)slots->element[i + 1]->integer};
	taken.slots = list;
	for (size_t i = 0; i + JOB_FIELDS <= rows->elements; i += JOB_FIELDS) {
		struct job *j = job_of(&rows->element[i], t->asked_ms + JOBS_LEASE_MS);

		if (!j)
			continue;
		taken.jobs[taken.n_jobs++] = j;
		bytes += j->record.chunks ? 0 : j->record.packed_bytes;
	}
	taken.is_full = taken.n_jobs >= t->max_jobs || bytes >= MAX_BYTES;
	metric_add(METRIC_TAKEN, (int64_t)taken.n_jobs);
	t->fn(&taken, t->arg);
	free(taken.jobs);
	free(list);
}

static void on_taken(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct take *t = arg;

	(void)why;
	if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY && reply->elements == 5) {
		redis_saw_time(t->redis, reply->element[0]->integer);
		metric_add(METRIC_EXPIRED, reply->element[3]->integer);
		metric_add(METRIC_DEFERRED, reply->element[4]->integer);
		give(t, reply->element[1], reply->element[2]);
	} else {
		t->fn(NULL, t->arg);
	}
	free(t);
}

/* A partition has its part of the limit: the sum over all is the site's. */
static int64_t site_limit(const struct redis *redis)
{
	int64_t limit = redis_config(redis)->site_connections / (int64_t)redis_partitions(redis);

	return limit > 0 ? limit : 1;
}

void jobs_take(struct redis *redis, const char *owner, unsigned partition,
	       const struct jobs_request *request, jobs_take_fn *fn, void *arg)
{
	static unsigned number;
	struct take *t = calloc(1, sizeof(*t));
	struct command c = {0};

	if (!t)
		abort();
	*t = (struct take){redis, request->max_jobs, clock_mono_ms(), fn, arg};
	command_script(&c, SCRIPT_TAKE, partition);
	command_str(&c, owner);
	command_num(&c, ++number);
	command_num(&c, request->max_jobs);
	command_num(&c, MAX_BYTES);
	command_num(&c, JOBS_LEASE_MS);
	command_num(&c, JOBS_OWNER_MS);
	command_num(&c, site_limit(redis));
	command_num(&c, request->free_connections);
	command_num(&c, SHARE_BULK);
	command_num(&c, SHARE_NORMAL);
	command_num(&c, redis_config(redis)->retention_s * 1000);
	command_num(&c, request->is_complete);
	for (size_t i = 0; i < request->n_sites; i++) {
		command_str(&c, request->sites[i].site);
		command_num(&c, request->sites[i].want);
		command_num(&c, request->sites[i].grow);
		command_num(&c, request->sites[i].has);
	}
	metric_add(METRIC_TAKE_CALLS, 1);
	redis_call(redis, &c, 1, 0, on_taken, t);
}

/* ---- contents in chunks, one after the other ---- */

struct fetch {
	struct redis *redis;
	struct job *job;
	size_t next;
	struct buf packed;
	jobs_done_fn *fn;
	void *arg;
};

static void ask_chunk(struct fetch *f);

static void end_fetch(struct fetch *f, const struct err *why)
{
	f->fn(why, f->arg);
	buf_deinit(&f->packed);
	free(f);
}

static void on_chunk(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct fetch *f = arg;
	struct err e;

	if (end == CALL_UNKNOWN) {
		end_fetch(f, why);
		return;
	}
	if (end != CALL_ANSWERED || reply->type != REDIS_REPLY_STRING) {
		err_set(&e, ERR_NOT_FOUND, "a chunk of the content is missing");
		end_fetch(f, &e);
		return;
	}
	buf_append(&f->packed, reply->str, reply->len);
	if (++f->next < f->job->record.chunks) {
		ask_chunk(f);
		return;
	}
	if (f->packed.failed || unpack(f->job, f->packed.data, f->packed.len) < 0) {
		err_set(&e, ERR_INTERNAL, "the content is damaged");
		end_fetch(f, &e);
		return;
	}
	end_fetch(f, NULL);
}

static void ask_chunk(struct fetch *f)
{
	struct command c = {0};
	char id[31];

	command_start(&c, "GET");
	job_message(f->job, id);
	command_key(&c, id_partition(id), "c:%s:%zu", id, f->next);
	redis_call(f->redis, &c, 1, 0, on_chunk, f);
}

void jobs_fetch(struct redis *redis, struct job *j, jobs_done_fn *fn, void *arg)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	*f = (struct fetch){.redis = redis, .job = j, .fn = fn, .arg = arg};
	ask_chunk(f);
}
