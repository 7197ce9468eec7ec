/* Reads and changes messages by request. */
#include "server/store/messages/messages.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/config/config.h"
#include "server/base/id.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000

struct read {
	struct redis *redis;
	char project[12]; /* "": any */
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

	err_set(&why, ERR_NOT_FOUND, "No message has this id.");
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

/* Asks Redis when the waiting jobs are due. */
static void ask_due(const struct read *r)
{
	struct command c = {0};
	char ref[ID_LEN + 8];

	command_start(&c, "ZMSCORE");
	command_key(&c, id_partition(r->id), KEY_DUE);
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
	else if (resp_is_text(text) &&
		 record_parse(resp_text(text), resp_len(text), &r->record, &e) < 0)
		end_read(r, NULL, &e);
	else if (!resp_is_text(text) || (*r->project && strcmp(r->record.project, r->project) != 0))
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

	snprintf(r.project, sizeof(r.project), "%s", project ? project : "");
	snprintf(r.id, sizeof(r.id), "%s", id);
	command_start(&c, "GET");
	command_key(&c, id_partition(id), KEY_MESSAGE, id);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_record, r));
}

/* ---- cancel, retry ---- */

#define RETRY_LEAST_MS 10000 /* between two retries of a message */

struct change {
	messages_done_fn *fn;
	void *arg;
};

/* Both transitions reply {done, taken ...}; done is below 0 when there is no such message. */
enum { DONE, TAKEN };
_Static_assert((int)CANCEL_MESSAGE_CANCELED == DONE && (int)RETRY_AGAIN == DONE, "done");
_Static_assert((int)CANCEL_MESSAGE_AT_DOT == TAKEN && (int)RETRY_LEASED == TAKEN, "taken");

static void on_changed(const struct call_result *result, void *context)
{
	const struct change *ch = context;
	struct messages_done done = {resp_number_at(result->reply, DONE),
				     resp_number_at(result->reply, TAKEN), 0};
	struct err e = {0};

	if (resp_count(result->reply) > RETRY_WAIT_MS)
		done.wait_ms = resp_number_at(result->reply, RETRY_WAIT_MS);
	if (result->end != CALL_ANSWERED)
		e = *result->why;
	else if (resp_count(result->reply) <= TAKEN)
		resp_unexpected(&e);
	else if (done.done < 0)
		err_set(&e, ERR_NOT_FOUND, "No message has this id.");
	ch->fn(e.kind ? NULL : &done, e.kind ? &e : NULL, ch->arg);
}

static int64_t retention_ms(const struct redis *redis)
{
	return redis_config(redis)->retention_s * 1000;
}

void messages_cancel(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	struct change ch = {fn, arg};
	struct command c = {0};

	script_cancel(&c, id_partition(id),
		      &(struct script_cancel){.retention_ms = retention_ms(redis)});
	script_cancel_item(&c, &(struct script_cancel_item){.id = id});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_changed, ch));
}

void messages_retry(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	struct change ch = {fn, arg};
	struct id request = id_make("try", 0);
	struct command c = {0};

	script_retry(&c, id_partition(id),
		     &(struct script_retry){
			     .retention_ms = retention_ms(redis),
			     .least_ms = RETRY_LEAST_MS,
			     .request = request.text,
			     .id = id,
		     });
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_changed, ch));
}
