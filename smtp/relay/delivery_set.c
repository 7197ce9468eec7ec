/* Lists of deliveries, and their counts. */
#include "smtp/relay/delivery_set.h"

#include "server/base/links.h"
#include "server/base/metrics.h"
#include "smtp/relay/delivery.h"

static void unlink_from_queue(struct delivery *d)
{
	struct delivery_queue *q = d->queue;

	if (!q)
		return;
	if (d->queue_prev)
		d->queue_prev->queue_next = d->queue_next;
	else
		q->first = d->queue_next;
	if (d->queue_next)
		d->queue_next->queue_prev = d->queue_prev;
	else
		q->last = d->queue_prev;
	q->n--;
	d->queue = NULL;
}

void delivery_set_move(struct delivery *d, enum delivery_stage stage, struct delivery_queue *queue,
		       bool is_first)
{
	unlink_from_queue(d);
	d->stage = stage;
	d->queue = queue;
	if (!queue)
		return;
	d->queue_prev = is_first ? NULL : queue->last;
	d->queue_next = is_first ? queue->first : NULL;
	if (d->queue_prev)
		d->queue_prev->queue_next = d;
	else
		queue->first = d;
	if (d->queue_next)
		d->queue_next->queue_prev = d;
	else
		queue->last = d;
	queue->n++;
}

void delivery_set_add(struct delivery_set *set, struct delivery *d)
{
	d->set = set;
	LINKS_ADD(set->first, d);
	set->n++;
	metric_set(METRIC_JOBS_LEASED, set->n);
}

static void count_bytes(struct delivery *d, size_t bytes)
{
	struct delivery_set *set = d->set;

	/* The difference may wrap around; the sum is right all the same. */
	set->bytes += bytes - d->bytes;
	if (d->job->record.is_test)
		set->test_bytes += bytes - d->bytes;
	d->bytes = bytes;
}

void delivery_set_remove(struct delivery *d)
{
	struct delivery_set *set = d->set;

	unlink_from_queue(d);
	LINKS_REMOVE(set->first, d);
	set->n--;
	count_bytes(d, 0);
	metric_set(METRIC_JOBS_LEASED, set->n);
}

/* The size of the mail; while its content is not here yet, its packed size. */
void delivery_set_weigh(struct delivery *d)
{
	count_bytes(d, d->job->mail ? d->job->mail_len : d->job->record.packed_bytes);
}
