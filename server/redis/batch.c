/* Groups requests of one kind into script calls. */
#include "server/redis/batch.h"

#include <stdlib.h>

#include "server/base/id.h"
#include "server/base/loop.h"
#include "server/config/config.h"
#include "server/redis/redis.h"

/* The requests for one partition. */
struct queue {
	struct batch *batch;
	unsigned partition;
	struct batch_item *first, **last;
	size_t n; /* waiting and in flight */
	unsigned n_calls;
	struct loop_post post;
};

struct batch {
	struct redis *redis;
	const struct batch_kind *kind;
	void *arg;
	unsigned turn;                       /* the next connection */
	struct queue *queues[ID_PARTITIONS]; /* made on first use */
};

/* A call in flight. */
struct flight {
	struct queue *queue;
	struct batch_item *first;
	size_t n;
};

struct batch *batch_new(struct redis *redis, const struct batch_kind *kind, void *arg)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b)
		*b = (struct batch){.redis = redis, .kind = kind, .arg = arg};
	return b;
}

static struct batch_item *next_item(struct queue *q)
{
	struct batch_item *item = q->first;

	if (!item)
		return NULL;
	q->first = item->next;
	if (!q->first)
		q->last = &q->first;
	item->next = NULL;
	return item;
}

static void answer(struct queue *q, struct batch_item *item, const struct call_result *result,
		   size_t at)
{
	command_deinit(&item->args);
	q->n--;
	q->batch->kind->answer(item, result, at, q->batch->arg);
}

static void on_result(const struct call_result *result, void *context)
{
	struct flight *f = context;
	struct queue *q = f->queue;
	const struct batch_kind *kind = q->batch->kind;
	struct batch_item *item = f->first, *next;
	struct err why;
	struct call_result odd = {CALL_UNKNOWN, NULL, &why};

	q->n_calls--;
	/* With another number of replies, it is unknown which item each belongs to. */
	if (result->end == CALL_ANSWERED && kind->width &&
	    resp_count(result->reply) != kind->first + f->n * kind->width) {
		resp_unexpected(&why);
		result = &odd;
	}
	for (size_t i = 0; item; i++, item = next) {
		next = item->next;
		answer(q, item, result, kind->first + i * kind->width);
	}
	/* What arrived while the call was in flight is the next batch. */
	if (q->first)
		loop_post(&q->post);
}

static void end_waiting(struct queue *q, const char *text)
{
	struct batch_item *item;
	struct err why;

	err_set(&why, ERR_RETRY, "%s", text);
	while ((item = next_item(q)))
		answer(q, item, &(struct call_result){CALL_NEVER_SENT, NULL, &why}, 0);
}

static bool is_full(const struct batch_kind *kind, size_t n, size_t bytes)
{
	return n >= kind->max_items || (kind->max_bytes && bytes >= kind->max_bytes);
}

/* The approximate size of the next call, in bytes. */
static size_t waiting_bytes(const struct queue *q)
{
	size_t n = 0, bytes = 1024;

	for (const struct batch_item *item = q->first; item && !is_full(q->batch->kind, n, bytes);
	     item = item->next, n++)
		bytes += item->args.bytes.len;
	return bytes;
}

/* Ends the item if it cannot be in the call. */
static bool ends_now(struct queue *q, struct batch_item *item)
{
	const struct batch_kind *kind = q->batch->kind;
	struct err why;

	if (item->args.bytes.failed) {
		err_oom(&why);
		answer(q, item, &(struct call_result){CALL_FAILED, NULL, &why}, 0);
		return true;
	}
	if (!kind->is_over || !kind->is_over(item, q->batch->arg))
		return false;
	err_set(&why, ERR_RETRY, "%s", kind->over_text);
	answer(q, item, &(struct call_result){CALL_NEVER_SENT, NULL, &why}, 0);
	return true;
}

/* Takes items until the call is full. */
static void fill(struct queue *q, struct command *c, struct flight *f)
{
	struct batch_item *item, **last = &f->first;

	while (!is_full(q->batch->kind, f->n, c->bytes.len) && (item = next_item(q))) {
		if (ends_now(q, item))
			continue;
		command_append(c, &item->args);
		command_deinit(&item->args);
		*last = item;
		last = &item->next;
		f->n++;
	}
}

static void send_call(struct queue *q)
{
	struct batch *b = q->batch;
	struct flight f = {.queue = q};
	struct command c = {0};
	unsigned connection = b->kind->connection;

	/* Several calls in flight use the connections in turn. */
	if (b->kind->max_in_flight > 1)
		connection += b->turn++;
	command_reserve(&c, waiting_bytes(q));
	b->kind->start(&c, q->partition, b->arg);
	fill(q, &c, &f);
	if (f.n == 0) {
		command_deinit(&c);
		return;
	}
	c.waits_for_replica = b->kind->waits_for_replica &&
			      redis_config(b->redis)->durability == DURABILITY_REPLICATED;
	q->n_calls++;
	redis_call(b->redis, &c, connection, b->kind->limit_ms, CALLBACK_COPY(on_result, f));
}

/* Runs at the end of a loop turn, so that a call has the requests of the whole turn. */
static void flush(void *arg)
{
	struct queue *q = arg;
	const char *why;

	if (q->batch->kind->needs_ready &&
	    !redis_partition_is_ready(q->batch->redis, q->partition, &why))
		end_waiting(q, why);
	while (q->first && q->n_calls < q->batch->kind->max_in_flight)
		send_call(q);
}

static struct queue *queue_of(struct batch *b, unsigned partition)
{
	struct queue **kept = &b->queues[partition % ID_PARTITIONS], *q = *kept;

	if (q)
		return q;
	q = calloc(1, sizeof(*q));
	if (!q || loop_post_init(&q->post, redis_loop(b->redis), flush, q) < 0) {
		free(q);
		return NULL;
	}
	q->batch = b;
	q->partition = partition % ID_PARTITIONS;
	q->last = &q->first;
	*kept = q;
	return q;
}

int batch_add(struct batch *b, unsigned partition, struct batch_item *item)
{
	struct queue *q = queue_of(b, partition);

	if (!q)
		return -1;
	item->next = NULL;
	*q->last = item;
	q->last = &item->next;
	q->n++;
	if (q->n_calls < b->kind->max_in_flight)
		loop_post(&q->post);
	return 0;
}

size_t batch_unanswered_in(const struct batch *b, unsigned partition)
{
	const struct queue *q = b->queues[partition % ID_PARTITIONS];

	return q ? q->n : 0;
}

size_t batch_unanswered(const struct batch *b)
{
	size_t n = 0;

	for (unsigned p = 0; p < ID_PARTITIONS; p++)
		n += batch_unanswered_in(b, p);
	return n;
}

void batch_abandon(struct batch *b)
{
	for (unsigned p = 0; p < ID_PARTITIONS; p++)
		if (b->queues[p])
			end_waiting(b->queues[p], "the process is stopping");
}

static void free_queue(struct queue *q)
{
	struct batch_item *item;

	while ((item = next_item(q))) {
		command_deinit(&item->args);
		free(item);
	}
	loop_post_deinit(&q->post);
	free(q);
}

void batch_free(struct batch *b)
{
	for (unsigned p = 0; b && p < ID_PARTITIONS; p++)
		if (b->queues[p])
			free_queue(b->queues[p]);
	free(b);
}

void *batch_part_make(struct redis *redis, const struct batch_kind *kind, size_t size)
{
	struct batch_part *part = calloc(1, size);

	if (!part)
		return NULL;
	part->redis = redis;
	part->batch = batch_new(redis, kind, part);
	if (part->batch)
		return part;
	free(part);
	return NULL;
}

void batch_part_abandon(void *part)
{
	batch_abandon(((struct batch_part *)part)->batch);
}

void batch_part_free(void *part)
{
	batch_free(((struct batch_part *)part)->batch);
	free(part);
}
