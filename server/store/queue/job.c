/* Jobs as the take script gives them, and the content of large ones. */
#include "server/store/queue/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"
#include "server/store/messages/content.h"
#include "server/store/messages/content_chunks.h"

#define MAIL_LIMIT ((size_t)64 << 20)

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

unsigned job_partition(const char *ref)
{
	char id[ID_LEN + 1];

	snprintf(id, sizeof(id), "%.*s", ID_LEN, ref);
	return id_partition(id);
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

/* Fills *j, whose members are zero. */
static int read_job(struct job *j, const struct resp *array, size_t at)
{
	const struct resp *ref = resp_item(array, at + TAKE_JOB_REF);
	const struct resp *site = resp_item(array, at + TAKE_JOB_SITE);
	const struct resp *record = resp_item(array, at + TAKE_JOB_RECORD);
	const struct resp *content = resp_item(array, at + TAKE_JOB_CONTENT);
	struct err e = {.text = "a field is missing"};

	/* A ref is the id of the message and 3 hex digits: the number of the job in it. */
	if (resp_len(ref) != ID_LEN + 3 || !resp_is_text(site) || !resp_is_text(record) ||
	    record_parse(resp_text(record), resp_len(record), &j->record, &e) < 0) {
		LOG(LOG_ERROR, "job.record_damaged", LOG_S("job", resp_text(ref)),
		    LOG_S("reason", e.text));
		return -1;
	}
	snprintf(j->ref, sizeof(j->ref), "%s", resp_text(ref));
	snprintf(j->site, sizeof(j->site), "%s", resp_text(site));
	j->epoch = resp_number_at(array, at + TAKE_JOB_EPOCH);
	j->number = (unsigned)strtoul(j->ref + ID_LEN, NULL, 16);
	if (j->number >= j->record.n_jobs)
		return -1;
	/* Small contents come with the job. job_fetch reads those that are in chunks. */
	return j->record.chunks ? 0 : unpack(j, resp_text(content), resp_len(content));
}

struct job *job_read(const struct resp *array, size_t at, int64_t lease_until_ms)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->lease_until_ms = lease_until_ms;
	if (read_job(j, array, at) < 0) {
		job_free(j);
		return NULL;
	}
	return j;
}

/* ---- contents in chunks, one after the other ---- */

struct fetch {
	struct job *job;
	struct buf packed;
	job_fetch_fn *fn;
	void *arg;
};

static void end_fetch(struct fetch *f, const struct err *why)
{
	f->fn(why, f->arg);
	buf_deinit(&f->packed);
	free(f);
}

static void on_packed(const struct err *why, void *arg)
{
	struct fetch *f = arg;
	struct err e;

	if (!why && unpack(f->job, f->packed.data, f->packed.len) < 0) {
		err_set(&e, ERR_INTERNAL, "the content is damaged");
		why = &e;
	}
	end_fetch(f, why);
}

/* The fetch was never allocated: context is a copy. */
static void on_oom(const struct call_result *result, void *context)
{
	struct fetch *f = context;

	f->fn(result->why, f->arg);
}

void job_fetch(struct redis *redis, struct job *j, job_fetch_fn *fn, void *arg)
{
	struct fetch new = {.job = j, .fn = fn, .arg = arg}, *f = malloc(sizeof(*f));
	char id[31], name[64];

	if (!f) {
		redis_call_oom(redis, CALLBACK_COPY(on_oom, new));
		return;
	}
	*f = new;
	job_message(j, id);
	snprintf(name, sizeof(name), KEY_CONTENT, id);
	content_chunks_read(redis, id_partition(id), name, j->record.chunks, 0, &f->packed,
			    on_packed, f);
}
