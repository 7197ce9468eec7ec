/* Accepts messages in batches: what arrives in one loop turn is committed by one script call. */
#include "server/store/queue/accept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/store/queue/accept_args.h"
#include "server/redis/call.h"
#include "server/store/messages/content.h"
#include "server/redis/redis.h"

#define BATCH_MAX 64
#define BATCH_BYTES ((size_t)1 << 20)
#define IN_FLIGHT_MAX 2        /* a partition: one on each connection */
#define ACCEPT_WITHIN_MS 5000  /* in Redis time: after it the script refuses */
#define ANSWER_WITHIN_MS 12000 /* then the outcome is unknown */
#define CHUNK_BYTES ((size_t)64 << 10)
#define CHUNK_LIFE_S "3600" /* of one that no accept came to refer to */

enum {
	STATUS_ACCEPTED = 1,
	STATUS_REPLAYED,
	STATUS_CONFLICT,
	STATUS_LATE,
	STATUS_MALFORMED,
	STATUS_NO_CHUNKS
};

struct item {
	struct item *next;
	struct waiting *queue;
	struct id id;
	struct command args;
	accept_fn *fn;
	void *arg;
	unsigned chunks_open;
	bool has_failed;
};

/* What waits for one partition. */
struct waiting {
	struct accepts *all;
	unsigned partition;
	unsigned in_flight;
	struct item *first, **last;
};

struct batch {
	struct waiting *queue;
	struct item *items[BATCH_MAX];
	size_t n;
};

struct accepts {
	struct redis *redis;
	struct loop_post flush;
	struct waiting *queues;
	unsigned n_queues;
	unsigned next_conn;
	struct buf packed;
};

unsigned accept_partition(const struct redis *redis, const char *project, const char *idempotency)
{
	unsigned n = redis_partitions(redis);
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	char random[9];
	const char *parts[2] = {project, idempotency};

	if (n == 1)
		return 0;
	if (!idempotency) {
		id_random(random, 8);
		parts[1] = random;
	}
	for (int i = 0; i < 2; i++)
		for (const char *p = parts[i]; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	return (unsigned)((hash >> 32) % n);
}

static void flush(void *arg);

static void *accepts_new(struct redis *redis)
{
	struct accepts *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->redis = redis;
	a->n_queues = ID_PARTITIONS;
	a->queues = calloc(a->n_queues, sizeof(*a->queues));
	if (!a->queues || loop_post_init(&a->flush, redis_loop(redis), flush, a) < 0) {
		free(a->queues);
		free(a);
		return NULL;
	}
	for (unsigned i = 0; i < a->n_queues; i++) {
		a->queues[i].all = a;
		a->queues[i].partition = i;
		a->queues[i].last = &a->queues[i].first;
	}
	return a;
}

static void item_free(struct item *it)
{
	command_deinit(&it->args);
	free(it);
}

static void accepts_free(void *state)
{
	struct accepts *a = state;

	for (unsigned i = 0; i < a->n_queues; i++) {
		while (a->queues[i].first) {
			struct item *it = a->queues[i].first;

			a->queues[i].first = it->next;
			item_free(it);
		}
	}
	loop_post_deinit(&a->flush);
	buf_deinit(&a->packed);
	free(a->queues);
	free(a);
}

static void end_item(struct item *it, enum accept_status status, const char *id, int64_t at_ms,
		     const struct err *why)
{
	it->fn(status, id, at_ms, "", why, it->arg);
	item_free(it);
}

static void end_stored(struct item *it, const redisReply *const *r)
{
	struct redis *redis = it->queue->all->redis;
	struct err why;

	switch (r[0]->integer) {
	case STATUS_ACCEPTED:
		it->fn(ACCEPT_COMMITTED, it->id.text, r[2]->integer, r[3]->str, NULL, it->arg);
		item_free(it);
		return;
	case STATUS_REPLAYED:
		end_item(it, ACCEPT_REPLAYED, r[1]->str, 0, NULL);
		return;
	case STATUS_CONFLICT:
		end_item(it, ACCEPT_CONFLICT, r[1]->str, 0, NULL);
		return;
	case STATUS_LATE:
		redis_was_late(redis);
		err_set(&why, ERR_RETRY, "the store took too long: nothing was stored");
		break;
	default:
		err_set(&why, ERR_INTERNAL,
			"the store refused the message (%d): nothing was stored",
			(int)r[0]->integer);
		break;
	}
	end_item(it, ACCEPT_NOT_ACCEPTED, it->id.text, 0, &why);
}

static void end_batch(struct batch *b, enum call_end end, const redisReply *reply,
		      const struct err *why)
{
	bool is_whole = end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY &&
			reply->elements == b->n * 4;
	enum accept_status status = end == CALL_NEVER_SENT || end == CALL_FAILED
					    ? ACCEPT_NOT_ACCEPTED
					    : ACCEPT_OUTCOME_UNKNOWN;
	struct err odd;

	if (end == CALL_ANSWERED && !is_whole) {
		err_set(&odd, ERR_INTERNAL, "the store gave an odd answer");
		why = &odd;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (is_whole)
			end_stored(b->items[i], (const redisReply *const *)&reply->element[i * 4]);
		else
			end_item(b->items[i], status, b->items[i]->id.text, 0, why);
	}
}

static void on_answer(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct batch *b = arg;
	struct waiting *q = b->queue;

	q->in_flight--;
	end_batch(b, end, reply, why);
	free(b);
	if (q->first)
		loop_post(&q->all->flush);
}

/* Takes the first item that can be sent; those that could not even be written down end here. */
static struct item *next_item(struct waiting *q)
{
	struct err why;
	struct item *it;

	while ((it = q->first)) {
		q->first = it->next;
		if (!q->first)
			q->last = &q->first;
		if (!it->has_failed)
			return it;
		err_set(&why, ERR_INTERNAL,
			"the message could not be written down: nothing was stored");
		end_item(it, ACCEPT_NOT_ACCEPTED, it->id.text, 0, &why);
	}
	return NULL;
}

/* What the next batch will have, more or less. */
static size_t waiting_bytes(const struct waiting *q)
{
	size_t n = 0, bytes = 1024;

	for (const struct item *it = q->first; it && n < BATCH_MAX && bytes < BATCH_BYTES;
	     it = it->next) {
		bytes += it->args.bytes.len;
		n++;
	}
	return bytes;
}

static void send_batch(struct waiting *q)
{
	struct accepts *a = q->all;
	struct batch *b = calloc(1, sizeof(*b));
	struct command c = {0};
	struct item *it;
	int64_t late = clock_real_ms() + redis_clock_offset_ms(a->redis) + ACCEPT_WITHIN_MS;

	if (!b)
		abort(); /* crash-only: the client sees a lost connection and asks again */
	b->queue = q;
	command_reserve(&c, waiting_bytes(q));
	command_script(&c, SCRIPT_ACCEPT, q->partition);
	command_num(&c, late);
	command_num(&c, redis_config(a->redis)->idempotency_s * 1000);
	command_num(&c, redis_config(a->redis)->retention_s * 1000);
	while (b->n < BATCH_MAX && c.bytes.len < BATCH_BYTES && (it = next_item(q))) {
		command_append(&c, &it->args);
		b->items[b->n++] = it;
	}
	if (b->n == 0) {
		command_deinit(&c);
		free(b);
		return;
	}
	q->in_flight++;
	metric_add(METRIC_ACCEPT_BATCHES, 1);
	redis_call(a->redis, &c, a->next_conn++, ANSWER_WITHIN_MS, on_answer, b);
}

static void refuse_all(struct waiting *q, const char *reason)
{
	struct err why;
	struct item *it;

	err_set(&why, ERR_RETRY, "%s", reason);
	while ((it = next_item(q)))
		end_item(it, ACCEPT_NOT_ACCEPTED, it->id.text, 0, &why);
}

static void flush(void *arg)
{
	struct accepts *a = arg;
	const char *why;
	bool is_ready = redis_is_ready(a->redis, &why);

	for (unsigned i = 0; i < redis_partitions(a->redis); i++) {
		struct waiting *q = &a->queues[i];

		if (!is_ready)
			refuse_all(q, why);
		while (q->first && q->in_flight < IN_FLIGHT_MAX)
			send_batch(q);
	}
}

static void accepts_abandon(void *state)
{
	struct accepts *a = state;

	for (unsigned i = 0; i < a->n_queues; i++)
		refuse_all(&a->queues[i], "the process ends: nothing was stored");
}

static const struct redis_part_kind accepts_kind = {
	.make = accepts_new, .abandon = accepts_abandon, .free_fn = accepts_free};

static void enqueue(struct item *it)
{
	struct waiting *q = it->queue;

	it->next = NULL;
	*q->last = it;
	q->last = &it->next;
	loop_post(&q->all->flush);
}

/* ---- large contents: chunks first, then the accept that refers to them ---- */

static void on_chunk(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	struct item *it = arg;
	struct err e;

	(void)reply;
	(void)why;
	if (end != CALL_ANSWERED)
		it->has_failed = true;
	if (--it->chunks_open)
		return;
	if (!it->has_failed) {
		enqueue(it);
		return;
	}
	err_set(&e, ERR_RETRY, "the store did not take the content: nothing was accepted");
	end_item(it, ACCEPT_NOT_ACCEPTED, it->id.text, 0, &e);
}

static void write_chunks(struct redis *redis, struct item *it, const struct buf *packed,
			 size_t chunks)
{
	it->chunks_open = (unsigned)chunks;
	for (size_t k = 0; k < chunks; k++) {
		size_t from = k * CHUNK_BYTES;
		size_t len = packed->len - from > CHUNK_BYTES ? CHUNK_BYTES : packed->len - from;
		struct command c = {0};

		command_start(&c, "SET");
		command_key(&c, it->queue->partition, "c:%s:%zu", it->id.text, k);
		command_arg(&c, packed->data + from, len);
		command_str(&c, "EX");
		command_str(&c, CHUNK_LIFE_S);
		redis_call(redis, &c, (unsigned)k, ACCEPT_WITHIN_MS, on_chunk, it);
	}
}

/* fn must not fire from within: the flush tells it. */
static void refuse_later(struct item *it)
{
	it->has_failed = true;
	enqueue(it);
}

void accept_message(struct redis *redis, const struct accept_request *m, accept_fn *fn, void *arg)
{
	struct accepts *a = redis_part(redis, PART_ACCEPT, &accepts_kind);
	struct item *it = calloc(1, sizeof(*it));
	struct err e;
	size_t chunks = 0;

	if (!a || !it)
		abort(); /* crash-only: the client sees a lost connection and asks again */
	it->id = m->id;
	it->fn = fn;
	it->arg = arg;
	it->queue = &a->queues[id_partition(m->id.text) % a->n_queues];
	buf_reset(&a->packed);
	if (content_pack(m->mail, m->mail_len, &a->packed, &e) < 0) {
		refuse_later(it);
		return;
	}
	if (a->packed.len > CHUNK_BYTES)
		chunks = (a->packed.len + CHUNK_BYTES - 1) / CHUNK_BYTES;
	if (accept_args_write(&it->args, m, &a->packed, chunks) < 0)
		refuse_later(it);
	else if (chunks && redis_is_ready(redis, NULL))
		write_chunks(redis, it, &a->packed, chunks);
	else
		enqueue(it);
}
