#ifndef SMTP_RELAY_DELIVERY_SET_H
#define SMTP_RELAY_DELIVERY_SET_H

#include <stdbool.h>
#include <stddef.h>

/* Lists of deliveries: the set of all deliveries of a relay, and the queues of its sites. */

struct delivery;
struct relay_context;

enum delivery_stage {
	DELIVERY_COMING,   /* content and route are looked up; on a queue */
	DELIVERY_WAITING,  /* for a channel; on a queue */
	DELIVERY_SENDING,  /* a channel has it */
	DELIVERY_SETTLING, /* the result is on its way to the store */
	DELIVERY_OVER,     /* waits only for the reply of the fence */
};

/* Deliveries in order. Zeroed is valid. Written only by delivery_set_move. */
struct delivery_queue {
	struct delivery *first, *last;
	unsigned n;
};

/* None of them frees the delivery. */
struct delivery_callbacks {
	/* The route is known, or another channel is needed: queue d at the site d->route.site. */
	void (*on_wait)(struct delivery *d, bool is_first, void *arg);
	/* d left the queue of delivery_start without waiting for a channel. */
	void (*on_left)(struct delivery *d, void *arg);
	/* The set has one delivery less. */
	void (*on_over)(void *arg);
};

/* All deliveries of a relay. The owner fills in the first three fields. */
struct delivery_set {
	struct relay_context *context;
	const struct delivery_callbacks *callbacks;
	void *arg;
	struct delivery *first;
	unsigned n;
	size_t bytes;      /* of their mails */
	size_t test_bytes; /* of these, of test mail */
};

void delivery_set_add(struct delivery_set *set, struct delivery *d);
void delivery_set_remove(struct delivery *d);
/* The only function that changes stage and queue. queue NULL = none. */
void delivery_set_move(struct delivery *d, enum delivery_stage stage, struct delivery_queue *queue,
		       bool is_first);
/* Counts the bytes of the mail again. Chunks count by their packed size until they are read. */
void delivery_set_weigh(struct delivery *d);

#endif
