/* Attempts of messages: keeps the transcripts of those that failed, and reads it all. */
#include "server/store/messages/transcripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/config/config.h"
#include "server/base/id.h"
#include "server/base/metrics.h"
#include "server/redis/call.h"
#include "server/store/messages/content.h"
#include "server/store/messages/messages.h"
#include "server/redis/redis.h"

#define KEPT 20          /* of a message; lua/lib/change.lua has the same for the lines */
#define KEEP_MS 150      /* less than link.c waits before it tries again */
#define ON_THEIR_WAY 512 /* at most, to the store */
#define LIMIT_MS 5000

/* ---- packing ---- */

/* Appends the begin and the end of the text, whole lines of both, about `keep` bytes. */
static void cut_middle(const char *text, size_t len, size_t keep, struct buf *out)
{
	const char *head = text + keep / 2, *tail = text + len - keep / 2;

	while (head > text && head[-1] != '\n')
		head--;
	while (tail < text + len && tail[-1] != '\n')
		tail++;
	buf_append(out, text, (size_t)(head - text));
	buf_fmt(out, "* %zu octets are left out here\n", (size_t)(tail - head));
	buf_append(out, tail, (size_t)(text + len - tail));
}

int transcripts_pack(const char *text, size_t len, struct buf *out, struct err *e)
{
	size_t keep = ATTEMPTS_TEXT_MAX - 100, start = out->len;
	struct buf part = {0};
	int rc = 0;

	if (len <= keep)
		rc = content_pack(text, len, out, e);
	while (rc == 0 && (out->len == start || out->len - start > ATTEMPTS_PACKED_MAX)) {
		out->len = start;
		keep = (keep < len ? keep : len) / 4 * 3;
		buf_reset(&part);
		cut_middle(text, len, keep, &part);
		rc = part.failed ? err_oom(e) : content_pack(part.data, part.len, out, e);
	}
	buf_deinit(&part);
	return rc;
}

/* ---- keeping ---- */

struct keeping {
	size_t n; /* on their way */
};

static void *keeping_make(struct redis *redis)
{
	(void)redis;
	return calloc(1, sizeof(struct keeping));
}

static struct keeping *keeping_of(struct redis *redis)
{
	static const struct redis_part_kind kind = {.make = keeping_make, .free_fn = free};

	return redis_part(redis, &kind);
}

static void on_kept(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct keeping *k = arg;

	(void)reply;
	(void)why;
	k->n--;
	if (end == CALL_NEVER_SENT || end == CALL_FAILED)
		metric_add(METRIC_TRANSCRIPTS_DROPPED, 1);
}

void transcripts_keep(struct redis *redis, const char *ref, int64_t epoch, const char *packed,
		      size_t len)
{
	struct keeping *k = keeping_of(redis);
	struct buf element = {0};
	struct command c = {0};
	char id[ID_LEN + 1];

	if (!k || k->n >= ON_THEIR_WAY) {
		metric_add(METRIC_TRANSCRIPTS_DROPPED, 1);
		return;
	}
	k->n++;
	snprintf(id, sizeof(id), "%.*s", ID_LEN, ref);
	buf_fmt(&element, "%lu %lld ", strtoul(ref + ID_LEN, NULL, 16), (long long)epoch);
	command_script(&c, SCRIPT_TRANSCRIPT, id_partition(id));
	command_num(&c, KEPT);
	command_num(&c, redis_config(redis)->retention_s * 1000);
	command_str(&c, id);
	command_str(&c, buf_text(&element));
	command_arg(&c, packed, len);
	buf_deinit(&element);
	redis_call_plain(redis, &c, 1, KEEP_MS, on_kept, k);
}

size_t transcripts_unanswered(struct redis *redis)
{
	const struct keeping *k = keeping_of(redis);

	return k ? k->n : 0;
}

/* ---- reading ---- */

struct transcript {
	unsigned long job;
	long long epoch;
	struct buf text;
};

struct read {
	struct redis *redis;
	char project[12];
	char id[ID_LEN + 1];
	struct transcript transcripts[KEPT];
	size_t n;
	transcripts_fn *fn;
	void *arg;
};

static void read_free(struct read *r)
{
	for (size_t i = 0; i < r->n; i++)
		buf_deinit(&r->transcripts[i].text);
	free(r);
}

static const struct transcript *find_transcript(const struct read *r,
						const struct record_attempt *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->transcripts[i].job == a->job && r->transcripts[i].epoch == a->epoch)
			return &r->transcripts[i];
	return NULL;
}

static bool is_result(const struct record_event *event)
{
	static const char *const types[] = {"delivered", "deferred", "bounced", "failed"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(event->type, types[i]) == 0)
			return true;
	return false;
}

/* Each result of a recipient is one try of it; older attempts may be forgotten, events are not. */
static unsigned number_of(const struct record *record, const struct record_attempt *a)
{
	unsigned n = 1;

	for (size_t i = 0; a->n_events && i < a->first_event; i++)
		if (record->events[i].recipient == record->events[a->first_event].recipient &&
		    is_result(&record->events[i]))
			n++;
	return n;
}

static void describe(const struct read *r, const struct record *record,
		     const struct record_attempt *a, struct transcripts_one *out)
{
	bool was_lost = strcmp(a->line, "-") == 0; /* its result may have come late, as one more */
	const struct transcript *t = was_lost ? NULL : find_transcript(r, a);

	out->in_record = a;
	out->number = number_of(record, a);
	out->is_known = attempt_parse(a->line, out->scratch, &out->facts) == 0;
	out->transcript = t ? buf_text(&t->text) : NULL;
	out->transcript_len = t ? t->text.len : 0;
}

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct read *r = arg;
	size_t n = record ? record->n_attempts : 0;
	struct transcripts_one *all = calloc(n + 1, sizeof(*all));

	if (!all)
		abort();
	for (size_t i = 0; i < n; i++)
		describe(r, record, &record->attempts[i], &all[i]);
	r->fn(record, all, n, why, r->arg);
	free(all);
	read_free(r);
}

/* "<job> <epoch> " and the packed text; false when it is damaged. */
static bool read_transcript(const redisReply *element, struct transcript *out)
{
	char head[48];
	struct err e;
	int used = 0;

	snprintf(head, sizeof(head), "%s", element->str);
	return sscanf(head, "%lu %lld%n", &out->job, &out->epoch, &used) == 2 &&
	       head[used] == ' ' &&
	       content_unpack(element->str + used + 1, element->len - (size_t)used - 1,
			      ATTEMPTS_TEXT_MAX, &out->text, &e) == 0;
}

static void on_transcripts(enum call_end end, const redisReply *reply, const struct err *why,
			   void *arg)
{
	struct read *r = arg;

	if (end != CALL_ANSWERED) {
		r->fn(NULL, NULL, 0, why, r->arg);
		read_free(r);
		return;
	}
	for (size_t i = 0; i < reply->elements && r->n < KEPT; i++) {
		struct transcript *t = &r->transcripts[r->n];

		if (reply->element[i]->type == REDIS_REPLY_STRING &&
		    read_transcript(reply->element[i], t))
			r->n++;
		else
			buf_deinit(&t->text);
	}
	messages_get(r->redis, r->project, r->id, on_record, r);
}

/* The transcripts first: whose they are is judged by the record, and none is shown without it. */
void transcripts_get(struct redis *redis, const char *project, const char *id, transcripts_fn *fn,
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
	command_start(&c, "LRANGE");
	command_key(&c, id_partition(id), "t:%s", id);
	command_num(&c, -KEPT);
	command_num(&c, -1);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_transcripts, r);
}
