/* Accepts messages: packs the content, writes large ones in chunks first, and commits the messages
 * of one loop turn by one script call. */
#include "server/store/queue/accept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "server/redis/batch.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"
#include "server/store/messages/content.h"
#include "server/store/messages/content_chunks.h"
#include "server/store/queue/accept_args.h"
#include "server/store/queue/accept_earlier.h"
#include "server/store/queue/accept_pace.h"
#include "server/store/queue/accept_place.h"

#define BATCH_MAX 64
#define BATCH_BYTES ((size_t)1 << 20)
#define IN_FLIGHT_MAX 2        /* for each partition: one on each connection */
#define ACCEPT_WITHIN_MS 5000  /* in Redis time: the script refuses later ones */
#define ANSWER_WITHIN_MS 12000 /* then the outcome is unknown */
#define CALL_AHEAD_MS 100  /* before a step: keys with the old partition are not sent any more */
#define PACE_AHEAD_MS 1000 /* before a step: keys must not wait longer for relays */
#define UNFINISHED_MAX_MS                                                                          \
	((int64_t)8 * 24 * 3600 * 1000) /* longest life of an unfinished message */

struct accepts {
	struct batch_part part;
	struct accept_pace pace;
	struct buf packed;
	int64_t call_ms; /* Redis time when the last call was started */
};

struct accept_item {
	struct batch_item item;
	struct accepts *accepts;
	struct paced paced;
	struct id id;
	char project[ACCEPT_PROJECT_MAX], key[ACCEPT_KEY_MAX]; /* key "": no Idempotency-Key */
	char fingerprint[ACCEPT_KEY_MAX];
	unsigned n;     /* of the partitions that the key selected from */
	unsigned share; /* the partition has this part of each limit */
	int64_t max_messages, max_bytes;
	accept_fn *fn;
	void *arg;
};

static int64_t now_ms(const struct redis *redis, unsigned partition)
{
	return clock_real_ms() + redis_clock_offset_ms(redis, partition);
}

/* ---- results ---- */

static void end_item(struct accept_item *it, enum accept_status status, const char *id,
		     const struct err *why)
{
	it->fn(status, id, 0, "", why, it->arg);
	command_deinit(&it->item.args);
	free(it);
}

static void refuse(struct accept_item *it, enum err_kind kind, const char *reason)
{
	struct err why;

	err_set(&why, kind, "%s", reason);
	end_item(it, ACCEPT_NOT_ACCEPTED, it->id.text, &why);
}

/* note: what is used in this partition, "queued 100" or "bytes 2000". The total is an estimate: as
 * much in each of the other partitions. */
static void refuse_full(struct accept_item *it, const char *note)
{
	const char *used = strchr(note, ' ');
	int64_t total = used ? strtoll(used, NULL, 10) * it->share : 0;
	struct err why;

	if (strncmp(note, "queued", 6) == 0)
		err_set(&why, ERR_RETRY,
			"The project has %lld messages that are not finished. Its limit is %lld.",
			(long long)total, (long long)it->max_messages);
	else
		err_set(&why, ERR_RETRY,
			"The messages of the project take %lld bytes in the store. Its limit is "
			"%lld.",
			(long long)total, (long long)it->max_bytes);
	end_item(it, ACCEPT_QUEUE_FULL, it->id.text, &why);
}

static void end_answered(struct accept_item *it, const struct resp *reply, size_t at)
{
	int64_t status = resp_number_at(reply, at + ACCEPT_MESSAGE_STATUS);
	const char *id = resp_text(resp_item(reply, at + ACCEPT_MESSAGE_ID));
	const char *note = resp_text(resp_item(reply, at + ACCEPT_MESSAGE_NOTE));

	switch (status) {
	case ACCEPT_STATUS_COMMITTED:
		it->fn(ACCEPT_COMMITTED, it->id.text,
		       resp_number_at(reply, at + ACCEPT_MESSAGE_ACCEPTED_MS), note, NULL, it->arg);
		free(it);
		break;
	case ACCEPT_STATUS_REPLAYED:
		end_item(it, ACCEPT_REPLAYED, id, NULL);
		break;
	case ACCEPT_STATUS_CONFLICT:
		end_item(it, ACCEPT_CONFLICT, id, NULL);
		break;
	case ACCEPT_STATUS_LATE:
		redis_was_late(it->accepts->part.redis, id_partition(it->id.text));
		refuse(it, ERR_RETRY, "Redis did not reply in time");
		break;
	case ACCEPT_STATUS_FULL:
		refuse_full(it, note);
		break;
	case ACCEPT_STATUS_NO_CHUNKS:
		refuse(it, ERR_RETRY, "Redis does not have the content any more");
		break;
	default:
		refuse(it, ERR_INTERNAL, "the accept script refused the message");
		break;
	}
}

static void on_accepted(struct batch_item *item, const struct call_result *result, size_t at,
			void *arg)
{
	struct accept_item *it = (struct accept_item *)item;

	(void)arg;
	if (result->end == CALL_ANSWERED)
		end_answered(it, result->reply, at);
	else if (result->end == CALL_UNKNOWN)
		end_item(it, ACCEPT_OUTCOME_UNKNOWN, it->id.text, result->why);
	else
		refuse(it, result->why->kind, result->why->text);
}

/* ---- the batch ---- */

/* By the clock of Redis. A message whose partition was chosen by a key must not be committed after
 * a step that this process may not know, or that gives the key another partition. */
static int64_t latest_ms(const struct redis *redis, int64_t now)
{
	int64_t next = partitions_next_ms(redis_growth(redis), now);
	int64_t latest = redis_known_until_ms(redis);

	if (latest > now + ACCEPT_WITHIN_MS)
		latest = now + ACCEPT_WITHIN_MS;
	return next > now + CALL_AHEAD_MS && next < latest ? next : latest;
}

static void start_call(struct command *c, unsigned partition, void *arg)
{
	struct accepts *a = arg;
	const struct config *config = redis_config(a->part.redis);

	a->call_ms = now_ms(a->part.redis, partition);
	script_accept(c, partition,
		      &(struct script_accept){
			      .latest_ms = latest_ms(a->part.redis, a->call_ms),
			      .key_life_ms = config->idempotency_s * 1000,
			      .retention_ms = config->retention_s * 1000,
		      });
	metric_add(METRIC_ACCEPT_BATCHES, 1);
}

static bool has_moved(const struct batch_item *item, void *arg)
{
	const struct accept_item *it = (const struct accept_item *)item;
	const struct accepts *a = arg;
	int64_t soon = a->call_ms + CALL_AHEAD_MS;

	return *it->key && it->n < partitions_step_at(redis_growth(a->part.redis), soon)->n;
}

static const struct batch_kind kind = {.max_items = BATCH_MAX,
				       .max_bytes = BATCH_BYTES,
				       .max_in_flight = IN_FLIGHT_MAX,
				       .limit_ms = ANSWER_WITHIN_MS,
				       .needs_ready = true,
				       .waits_for_replica = true,
				       .width = ACCEPT_MESSAGE_WORDS,
				       .start = start_call,
				       .is_over = has_moved,
				       .over_text = "the number of partitions has just grown",
				       .answer = on_accepted};

static void on_oom(const struct call_result *result, void *context)
{
	struct accept_item *it = context;

	refuse(it, result->why->kind, result->why->text);
}

static void send_item(struct accept_item *it)
{
	if (batch_add(it->accepts->part.batch, id_partition(it->id.text), &it->item) < 0)
		redis_call_oom(it->accepts->part.redis, CALLBACK(on_oom, it));
}

static void on_pace(struct paced *message)
{
	send_item((struct accept_item *)((char *)message - offsetof(struct accept_item, paced)));
}

/* A message whose partition was chosen by a key does not wait until a step: after it, the partition
 * would be wrong. */
static int64_t wait_max_ms(const struct accept_item *it)
{
	const struct redis *redis = it->accepts->part.redis;
	int64_t wait_ms = redis_config(redis)->accept_wait_s * 1000, now = redis_time_ms(redis);
	int64_t next = partitions_next_ms(redis_growth(redis), now);

	return *it->key && next - now < wait_ms + PACE_AHEAD_MS ? 0 : wait_ms;
}

static void commit(struct accept_item *it)
{
	if (!accept_pace_holds(&it->accepts->pace, &it->paced, wait_max_ms(it)))
		send_item(it);
}

static void *accepts_make(struct redis *redis)
{
	struct accepts *a = batch_part_make(redis, &kind, sizeof(struct accepts));

	if (a && accept_pace_init(&a->pace, redis_loop(redis), on_pace) < 0) {
		batch_part_free(a);
		return NULL;
	}
	return a;
}

static void accepts_abandon(void *state)
{
	struct accepts *a = state;

	accept_pace_end(&a->pace);
	batch_part_abandon(a);
}

static void accepts_free(void *state)
{
	struct accepts *a = state;

	accept_pace_deinit(&a->pace);
	buf_deinit(&a->packed);
	batch_part_free(a);
}

static const struct redis_part_kind accepts_kind = {
	.make = accepts_make, .abandon = accepts_abandon, .free_fn = accepts_free};

/* ---- the earlier message of an Idempotency-Key ---- */

/* value: "fingerprint id" */
static void on_earlier(const char *value, const struct err *why, void *arg)
{
	struct accept_item *it = arg;
	bool is_same;
	size_t len;

	if (!value) {
		refuse(it, why->kind, why->text);
		return;
	}
	if (!*value) {
		commit(it);
		return;
	}
	len = strcspn(value, " ");
	is_same = len == strlen(it->fingerprint) && strncmp(value, it->fingerprint, len) == 0;
	end_item(it, is_same ? ACCEPT_REPLAYED : ACCEPT_CONFLICT, value + len + (value[len] == ' '),
		 NULL);
}

static void add(struct accept_item *it)
{
	if (!*it->key || !accept_earlier_find(it->accepts->part.redis, it->project, it->key, it->n,
					      on_earlier, it))
		commit(it);
}

/* ---- large contents: chunks first, then the message that refers to them ---- */

static void on_chunks(const struct err *why, void *arg)
{
	struct accept_item *it = arg;

	if (why)
		refuse(it, ERR_RETRY, "Redis did not store the content");
	else
		add(it);
}

static void write_chunks(struct accept_item *it, const struct buf *packed)
{
	char name[64];

	snprintf(name, sizeof(name), KEY_CONTENT, it->id.text);
	content_chunks_write(it->accepts->part.redis, id_partition(it->id.text), name, packed,
			     ACCEPT_WITHIN_MS, on_chunks, it);
}

struct refused {
	struct id id;
	accept_fn *fn;
	void *arg;
};

static void on_refused(const struct call_result *result, void *context)
{
	struct refused *r = context;

	r->fn(ACCEPT_NOT_ACCEPTED, r->id.text, 0, "", result->why, r->arg);
}

static struct accept_item *new_item(struct redis *redis, const struct accept_request *m,
				    accept_fn *fn, void *arg)
{
	struct accepts *a = redis_part(redis, &accepts_kind);
	struct accept_item *it = a ? calloc(1, sizeof(*it)) : NULL;
	unsigned partition = id_partition(m->id.text);

	if (!it)
		return NULL;
	it->accepts = a;
	it->id = m->id;
	it->share = partitions_share(redis_growth(redis), partition, now_ms(redis, partition),
				     redis_config(redis)->retention_s * 1000 + UNFINISHED_MAX_MS);
	snprintf(it->project, sizeof(it->project), "%s", m->project);
	if (m->idempotency) {
		it->n = accept_place_number(redis, m->project, m->idempotency, partition);
		snprintf(it->key, sizeof(it->key), "%s", m->idempotency);
		snprintf(it->fingerprint, sizeof(it->fingerprint), "%s", m->fingerprint);
	}
	it->paced = (struct paced){.lane = m->lane, .weight = (int64_t)m->n_emails};
	snprintf(it->paced.tenant, sizeof(it->paced.tenant), "%s", m->project);
	it->max_messages = m->max_messages;
	it->max_bytes = m->max_bytes;
	it->fn = fn;
	it->arg = arg;
	return it;
}

void accept_message(struct redis *redis, const struct accept_request *m, accept_fn *fn, void *arg)
{
	struct accept_item *it = new_item(redis, m, fn, arg);
	struct refused refused = {m->id, fn, arg};
	struct buf *packed;
	struct err e;
	size_t chunks = 0;
	bool is_packed;

	if (!it) {
		redis_call_oom(redis, CALLBACK_COPY(on_refused, refused));
		return;
	}
	packed = &it->accepts->packed;
	buf_reset(packed);
	is_packed = content_pack(m->mail, m->mail_len, packed, &e) == 0;
	if (packed->len > CONTENT_CHUNK_BYTES)
		chunks = content_chunks_count(packed->len);
	if (!is_packed || accept_args_write(&it->item.args, m, packed, chunks, it->share) < 0)
		it->item.args.bytes.failed = true; /* the batch ends it as failed */
	if (chunks && !it->item.args.bytes.failed &&
	    redis_partition_is_ready(redis, id_partition(m->id.text), NULL))
		write_chunks(it, packed);
	else
		add(it);
}
