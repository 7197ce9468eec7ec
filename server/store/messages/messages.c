/* Reads and changes messages by request. */
#include "server/store/messages/messages.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/id.h"
#include "server/redis/command.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct read {
	struct redis *redis;
	char project[12];
	char id[ID_LEN + 1];
	struct record record;
	messages_fn *fn;
	void *arg;
};

static void end_read(struct read *r, const struct record *record, const struct err *why)
{
	r->fn(record, why, r->arg);
	record_deinit(&r->record);
}

static void end_not_found(struct read *r)
{
	struct err why;

	err_set(&why, ERR_NOT_FOUND, "no such message");
	end_read(r, NULL, &why);
}

static void on_due(const struct call_result *result, void *context)
{
	struct read *r = context;

	for (size_t j = 0; j < resp_count(result->reply) && j < r->record.n_jobs; j++)
		r->record.jobs[j].next_attempt_ms =
			(int64_t)strtod(resp_text(resp_item(result->reply, j)), NULL);
	end_read(r, &r->record, NULL);
}

/* Asks when the jobs that wait are due. */
static void ask_due(const struct read *r)
{
	struct command c = {0};
	char ref[ID_LEN + 8];

	command_start(&c, "ZMSCORE");
	command_key(&c, id_partition(r->id), "due");
	for (size_t j = 0; j < r->record.n_jobs; j++) {
		snprintf(ref, sizeof(ref), "%s%03zx", r->id, j);
		command_str(&c, ref);
	}
	redis_call(r->redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_due, *r));
}

static bool has_waiting_job(const struct record *record)
{
	for (size_t i = 0; i < record->n_recipients; i++)
		if (record->recipients[i].state == STATE_DEFERRED ||
		    record->recipients[i].state == STATE_SCHEDULED)
			return true;
	return false;
}

static void on_record(const struct call_result *result, void *context)
{
	const struct resp *text = result->reply;
	struct read *r = context;
	struct err e;

	if (result->end != CALL_ANSWERED)
		end_read(r, NULL, result->why);
	else if (!resp_is_text(text))
		end_not_found(r);
	else if (record_parse(resp_text(text), resp_len(text), &r->record, &e) < 0)
		end_read(r, NULL, &e);
	else if (strcmp(r->record.project, r->project) != 0)
		end_not_found(r);
	else if (has_waiting_job(&r->record))
		ask_due(r);
	else
		end_read(r, &r->record, NULL);
}

void messages_get(struct redis *redis, const char *project, const char *id, messages_fn *fn,
		  void *arg)
{
	struct read r = {.redis = redis, .fn = fn, .arg = arg};
	struct command c = {0};

	snprintf(r.project, sizeof(r.project), "%s", project);
	snprintf(r.id, sizeof(r.id), "%s", id);
	command_start(&c, "GET");
	command_key(&c, id_partition(id), "m:%s", id);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_record, r));
}

/* ---- cancel, retry ---- */

struct change {
	messages_done_fn *fn;
	void *arg;
};

/* {done, taken}; done is below 0 when there is no such message. */
static void on_changed(const struct call_result *result, void *context)
{
	const struct change *ch = context;
	struct messages_done done = {resp_number_at(result->reply, 0),
				     resp_number_at(result->reply, 1)};
	struct err e = {0};

	if (result->end != CALL_ANSWERED)
		e = *result->why;
	else if (resp_count(result->reply) < 2)
		resp_unexpected(&e);
	else if (done.done < 0)
		err_set(&e, ERR_NOT_FOUND, "no such message");
	ch->fn(e.kind ? NULL : &done, e.kind ? &e : NULL, ch->arg);
}

static void send_change(struct redis *redis, enum script script, const char *id,
			messages_done_fn *fn, void *arg)
{
	struct change ch = {fn, arg};
	struct command c = {0};

	command_script(&c, script, id_partition(id));
	command_num(&c, redis_config(redis)->retention_s * 1000);
	command_str(&c, id);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_changed, ch));
}

void messages_cancel(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	send_change(redis, SCRIPT_CANCEL, id, fn, arg);
}

void messages_retry(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	send_change(redis, SCRIPT_RETRY, id, fn, arg);
}
