/* Attempts of messages: keeps the transcripts of failed ones, and reads both. */
#include "server/store/messages/transcripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/config/config.h"
#include "server/base/id.h"
#include "server/base/metrics.h"
#include "server/redis/link/command.h"
#include "server/store/messages/content.h"
#include "server/store/messages/messages.h"
#include "server/redis/redis.h"

#define KEPT 20           /* transcripts of a message; lua/lib/change.lua keeps as many lines */
#define KEEP_MS 150       /* shorter than the delay after a refusal, so it is tried once */
#define IN_FLIGHT_MAX 512 /* transcripts without a reply */
#define LIMIT_MS 5000

/* ---- packing ---- */

/* Appends the first and the last lines of the text, about `keep` bytes in all. */
static void cut_middle(const char *text, size_t len, size_t keep, struct buf *out)
{
	const char *head = text + keep / 2, *tail = text + len - keep / 2;

	while (head > text && head[-1] != '\n')
		head--;
	while (tail < text + len && tail[-1] != '\n')
		tail++;
	buf_append(out, text, (size_t)(head - text));
	buf_fmt(out, "* %zu octets are omitted here\n", (size_t)(tail - head));
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
	size_t n_in_flight;
};

static void *make_keeping(struct redis *redis)
{
	(void)redis;
	return calloc(1, sizeof(struct keeping));
}

static struct keeping *keeping_of(struct redis *redis)
{
	static const struct redis_part_kind kind = {.make = make_keeping, .free_fn = free};

	return redis_part(redis, &kind);
}

static void on_kept(const struct call_result *result, void *context)
{
	struct keeping *k = context;

	k->n_in_flight--;
	if (result->end == CALL_NEVER_SENT || result->end == CALL_FAILED)
		metric_add(METRIC_TRANSCRIPTS_DROPPED, 1);
}

void transcripts_keep(struct redis *redis, const char *ref, int64_t epoch, const char *packed,
		      size_t len)
{
	struct keeping *k = keeping_of(redis);
	struct buf element = {0};
	struct command c = {0};
	char id[ID_LEN + 1];

	if (!k || k->n_in_flight >= IN_FLIGHT_MAX) {
		metric_add(METRIC_TRANSCRIPTS_DROPPED, 1);
		return;
	}
	k->n_in_flight++;
	snprintf(id, sizeof(id), "%.*s", ID_LEN, ref);
	buf_fmt(&element, "%lu %lld ", strtoul(ref + ID_LEN, NULL, 16), (long long)epoch);
	script_transcript(&c, id_partition(id),
			  &(struct script_transcript){
				  .most = KEPT,
				  .retention_ms = redis_config(redis)->retention_s * 1000,
				  .id = id,
				  .attempt = buf_text(&element),
				  .packed = packed,
				  .packed_len = len,
			  });
	buf_deinit(&element);
	redis_call(redis, &c, 1, KEEP_MS, CALLBACK(on_kept, k));
}

size_t transcripts_unanswered(struct redis *redis)
{
	const struct keeping *k = keeping_of(redis);

	return k ? k->n_in_flight : 0;
}

/* ---- reading ---- */

struct transcript {
	unsigned long job;
	long long epoch;
	struct buf text;
};

struct lookup {
	struct redis *redis;
	char project[12];
	char id[ID_LEN + 1];
	transcripts_fn *fn;
	void *arg;
};

/* The second step: the transcripts are read; reads the record. */
struct read {
	struct lookup lookup;
	struct transcript transcripts[KEPT];
	size_t n;
};

static void end_read(struct read *r, const struct record *record,
		     const struct transcripts_one *attempts, size_t n, const struct err *why)
{
	r->lookup.fn(record, attempts, n, why, r->lookup.arg);
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

/* A host that passed the mail on has no events. It belongs to the attempt that was settled with it.
 */
static const struct record_attempt *settled_with(const struct record *record,
						 const struct record_attempt *a)
{
	const struct record_attempt *end = record->attempts + record->n_attempts;

	for (const struct record_attempt *it = a; it < end; it++)
		if (it->n_events && it->job == a->job && it->epoch == a->epoch)
			return it;
	return a;
}

/* Each result of a recipient is one attempt. Counts events, since the record keeps all of them. */
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
	bool was_lost = strcmp(a->line, "-") == 0; /* a later attempt may have its result */
	const struct transcript *t = was_lost || !a->n_events ? NULL : find_transcript(r, a);

	out->in_record = a;
	out->number = number_of(record, settled_with(record, a));
	out->is_known = attempt_parse(a->line, out->scratch, &out->facts) == 0;
	out->transcript = t ? buf_text(&t->text) : NULL;
	out->transcript_len = t ? t->text.len : 0;
}

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct read *r = arg;
	size_t n = record ? record->n_attempts : 0;
	struct transcripts_one *all = calloc(n + 1, sizeof(*all));
	struct err oom;

	if (!all) {
		err_oom(&oom);
		end_read(r, NULL, NULL, 0, &oom);
		return;
	}
	for (size_t i = 0; i < n; i++)
		describe(r, record, &record->attempts[i], &all[i]);
	end_read(r, record, all, n, why);
	free(all);
}

/* "<job> <epoch> " and the packed text; false when it is damaged. */
static bool read_transcript(const struct resp *element, struct transcript *out)
{
	char head[48];
	struct err e;
	int used = 0;

	snprintf(head, sizeof(head), "%s", resp_text(element));
	return sscanf(head, "%lu %lld%n", &out->job, &out->epoch, &used) == 2 &&
	       head[used] == ' ' &&
	       content_unpack(resp_text(element) + used + 1, resp_len(element) - (size_t)used - 1,
			      ATTEMPTS_TEXT_MAX, &out->text, &e) == 0;
}

static void on_transcripts(const struct call_result *result, void *context)
{
	struct lookup *lookup = context;
	struct read *r = result->end == CALL_ANSWERED ? calloc(1, sizeof(*r)) : NULL;
	struct err oom;

	if (!r) {
		err_oom(&oom);
		lookup->fn(NULL, NULL, 0, result->why ? result->why : &oom, lookup->arg);
		return;
	}
	r->lookup = *lookup;
	for (size_t i = 0; i < resp_count(result->reply) && r->n < KEPT; i++) {
		struct transcript *t = &r->transcripts[r->n];

		if (read_transcript(resp_item(result->reply, i), t))
			r->n++;
		else
			buf_deinit(&t->text);
	}
	messages_get(lookup->redis, lookup->project, lookup->id, on_record, r);
}

/* Reads the transcripts before the record. They are shown only if the record belongs to the
 * project. */
void transcripts_get(struct redis *redis, const char *project, const char *id, transcripts_fn *fn,
		     void *arg)
{
	struct lookup lookup = {.redis = redis, .fn = fn, .arg = arg};
	struct command c = {0};

	snprintf(lookup.project, sizeof(lookup.project), "%s", project);
	snprintf(lookup.id, sizeof(lookup.id), "%s", id);
	command_start(&c, "LRANGE");
	command_key(&c, id_partition(id), KEY_TRANSCRIPTS, id);
	command_num(&c, -KEPT);
	command_num(&c, -1);
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_transcripts, lookup));
}
