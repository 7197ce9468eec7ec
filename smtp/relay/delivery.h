#ifndef SMTP_RELAY_DELIVERY_H
#define SMTP_RELAY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/route/route.h"
#include "server/store/queue/job.h"
#include "smtp/client/connection.h"

/* One job on its way: content, route, a wait for a channel, transaction, fence, result. Ends in
 * exactly one settlement or one give-back. */

struct attempt_source;
struct delivery_set;
struct relay_context;

enum delivery_stage {
	DELIVERY_COMING,   /* content and route are looked up; on a queue */
	DELIVERY_WAITING,  /* for a channel; on a queue */
	DELIVERY_SENDING,  /* a channel has it */
	DELIVERY_SETTLING, /* the result is on its way to the store */
	DELIVERY_OVER,     /* only the reply of the fence is awaited */
};

/* Deliveries in order. Zeroed is valid. Written by delivery_move alone. */
struct delivery_queue {
	struct delivery *first, *last;
	unsigned n;
};

/* Reply of the fence. may_dot false: end the connection without the dot. */
typedef void delivery_fence_fn(bool may_dot, void *arg);

struct delivery {
	struct delivery *next, *prev; /* of the set */
	struct delivery_set *set;
	struct delivery_queue *queue; /* NULL = on none */
	struct delivery *queue_next, *queue_prev;
	struct job *job;
	enum delivery_stage stage;
	struct route route;                /* hosts that are no use for this mail are taken out */
	const char **recipients;           /* the open ones of this job */
	unsigned *numbers;                 /* their numbers in the message */
	struct connection_result *results; /* one a recipient, once there are any */
	size_t n_recipients;
	char sender[320];
	struct buf dkim;
	delivery_fence_fn *fence_fn; /* NULL = the transaction is over */
	void *fence_arg;
	bool waits_for_fence; /* the store will still call back */
	bool saw_dot;         /* the dot was written: the result goes through the journal */
	size_t bytes;         /* counted in the set */
	unsigned untried;     /* transactions that ended before this mail was tried */
	unsigned n_avoided;   /* hosts that refused its size */
	char avoided[ROUTE_HOSTS_MAX][256];
	uint64_t journal_entry;
	void (*settled)(struct delivery *d);              /* of settlement.c */
	int64_t started_ms, asked_ms, routed_ms, sent_ms; /* monotonic; 0 = not yet */
	struct buf transcript;                            /* packed; stored after the result */
};

/* None may free the delivery. */
struct delivery_callbacks {
	/* The route is known, or another channel is needed: queue d at site d->route.site. */
	void (*on_wait)(struct delivery *d, bool is_first, void *arg);
	/* d left the queue of delivery_start, and does not wait. */
	void (*on_left)(struct delivery *d, void *arg);
	/* One delivery less is held. */
	void (*on_over)(void *arg);
};

/* All deliveries of a relay. The owner fills in the first three fields. */
struct delivery_set {
	struct relay_context *context;
	const struct delivery_callbacks *callbacks;
	void *arg;
	struct delivery *first;
	unsigned n;
	size_t bytes; /* of their mails */
};

/* Takes j, also on failure (then it was given back). coming: the queue of the job's site. Callbacks
 * may fire from within. */
void delivery_start(struct delivery_set *set, struct job *j, struct delivery_queue *coming);
/* The one place that changes stage and queue. queue NULL = none. */
void delivery_move(struct delivery *d, enum delivery_stage stage, struct delivery_queue *queue,
		   bool is_first);

/* Fills in *mail, borrowed from d until delivery_finish. -1: it cannot be sent now and was given
 * back or settled. */
int delivery_prepare(struct delivery *d, struct connection_mail *mail);
/* The connection did not take the prepared mail. */
void delivery_refuse(struct delivery *d, const struct err *why);
/* The body is written: asks the store whether the lease holds. fn fires once, unless
 * delivery_finish comes first. */
void delivery_ask_fence(struct delivery *d, delivery_fence_fn *fn, void *arg);
/* The transaction is over: results, one a recipient, are copied. */
void delivery_finish(struct delivery *d, const struct connection_result *results, size_t n,
		     const struct attempt_source *source);
/* No channel could be opened: the same result for all recipients. source NULL = no host was
 * tried. */
void delivery_fail(struct delivery *d, const struct connection_result *result,
		   const struct attempt_source *source);
/* Returns the job to the queue, at no attempt. site: learned, or NULL. */
void delivery_give_back(struct delivery *d, const char *site);
/* The host is no use for this mail. */
bool delivery_avoids(const struct delivery *d, const char *host);
/* Calls nobody. */
void delivery_free(struct delivery *d);

#endif
