/* Reads messages for those who ask. */
#include "server/store/messages/messages.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/id.h"
#include "server/redis/call.h"
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

static void finish(struct read *r, const struct record *record, const struct err *why)
{
	r->fn(record, why, r->arg);
	record_deinit(&r->record);
	free(r);
}

static void finish_with(struct read *r, enum err_kind kind, const char *text)
{
	struct err why;

	err_set(&why, kind, "%s", text);
	finish(r, NULL, &why);
}

static void on_due(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct read *r = arg;

	(void)why;
	if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY)
		for (size_t j = 0; j < reply->elements && j < r->record.n_jobs; j++)
			if (reply->element[j]->type == REDIS_REPLY_STRING)
				r->record.jobs[j].next_attempt_ms =
					(int64_t)strtod(reply->element[j]->str, NULL);
	finish(r, &r->record, NULL);
}

/* When will waiting jobs be tried next? */
static void ask_due(struct read *r)
{
	struct command c = {0};
	char ref[ID_LEN + 8];

	command_start(&c, "ZMSCORE");
	command_key(&c, id_partition(r->id), "due");
	for (size_t j = 0; j < r->record.n_jobs; j++) {
		snprintf(ref, sizeof(ref), "%s%03zx", r->id, j);
		command_str(&c, ref);
	}
	redis_call_plain(r->redis, &c, 1, LIMIT_MS, on_due, r);
}

static bool waits(const struct record *record)
{
	for (size_t i = 0; i < record->n_recipients; i++)
		if (record->recipients[i].state == STATE_DEFERRED ||
		    record->recipients[i].state == STATE_SCHEDULED)
			return true;
	return false;
}

static void on_record(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct read *r = arg;
	struct err e;

	if (end != CALL_ANSWERED)
		finish(r, NULL, why);
	else if (reply->type == REDIS_REPLY_STRING &&
		 record_parse(reply->str, reply->len, &r->record, &e) < 0)
		finish(r, NULL, &e);
	else if (reply->type != REDIS_REPLY_STRING || strcmp(r->record.project, r->project) != 0)
		finish_with(r, ERR_NOT_FOUND, "there is no such message");
	else if (waits(&r->record))
		ask_due(r);
	else
		finish(r, &r->record, NULL);
}

void messages_get(struct redis *redis, const char *project, const char *id, messages_fn *fn,
		  void *arg)
{
	struct read *r = calloc(1, sizeof(*r));
	struct command c = {0};

	if (!r)
		abort();
	r->redis = redis;
	r->fn = fn;
	r->arg = arg;
	snprintf(r->project, sizeof(r->project), "%s", project);
	snprintf(r->id, sizeof(r->id), "%s", id);
	command_start(&c, "GET");
	command_key(&c, id_partition(id), "m:%s", id);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_record, r);
}

/* ---- cancel, retry ---- */

struct order {
	messages_done_fn *fn;
	void *arg;
};

static void on_done(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct order *o = arg;
	struct messages_done done;
	struct err e;

	if (end != CALL_ANSWERED) {
		o->fn(NULL, why, o->arg);
	} else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
		err_set(&e, ERR_INTERNAL, "the store gave an odd answer");
		o->fn(NULL, &e, o->arg);
	} else if (reply->element[0]->integer < 0) {
		err_set(&e, ERR_NOT_FOUND, "there is no such message");
		o->fn(NULL, &e, o->arg);
	} else {
		done = (struct messages_done){reply->element[0]->integer,
					      reply->element[1]->integer};
		o->fn(&done, NULL, o->arg);
	}
	free(o);
}

static void give_order(struct redis *redis, enum script script, const char *id,
		       messages_done_fn *fn, void *arg)
{
	struct order *o = calloc(1, sizeof(*o));
	struct command c = {0};

	if (!o)
		abort();
	o->fn = fn;
	o->arg = arg;
	command_script(&c, script, id_partition(id));
	command_num(&c, redis_config(redis)->retention_s * 1000);
	command_str(&c, id);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_done, o);
}

void messages_cancel(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	give_order(redis, SCRIPT_CANCEL, id, fn, arg);
}

void messages_retry(struct redis *redis, const char *id, messages_done_fn *fn, void *arg)
{
	give_order(redis, SCRIPT_RETRY, id, fn, arg);
}
