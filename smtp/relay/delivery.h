#ifndef SMTP_RELAY_DELIVERY_H
#define SMTP_RELAY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/route/route.h"
#include "server/store/queue/job.h"
#include "smtp/client/connection.h"
#include "smtp/relay/delivery_set.h"

/* One job that the relay works on: content, route, wait for a channel, transaction, fence, result.
 * It ends in exactly one settlement or one give-back. */

struct attempt_source;
struct relay_context;

/* Reply of the fence. may_dot false: end the connection without the dot. */
typedef void delivery_fence_fn(bool may_dot, void *arg);

struct delivery {
	struct delivery *next, *prev; /* of the set */
	struct delivery_set *set;
	struct delivery_queue *queue; /* NULL = on none */
	struct delivery *queue_next, *queue_prev;
	struct job *job;
	enum delivery_stage stage;
	struct route route;                /* without the hosts that failed for this mail */
	const char **recipients;           /* the open ones of this job */
	unsigned *numbers;                 /* their numbers in the message */
	struct connection_result *results; /* one for each recipient, after a transaction */
	size_t n_recipients;
	size_t n_open;  /* the first n_open are for the next transaction */
	size_t n_ended; /* the last n_ended have a final result */
	char sender[320];
	struct buf dkim;
	delivery_fence_fn *fence_fn; /* NULL = the transaction is over */
	void *fence_arg;
	bool waits_for_fence; /* the store will still call back */
	bool saw_dot;         /* the dot was written: the result goes through the journal */
	size_t bytes;         /* counted in the set */
	unsigned untried;     /* transactions that ended before this mail was tried */
	unsigned n_avoided;   /* hosts that failed for this mail: the next one was tried */
	char avoided[ROUTE_HOSTS_MAX][256];
	uint64_t journal_entry;
	void (*settled)(struct delivery *d, bool is_applied); /* of settlement.c */
	int64_t started_ms, asked_ms, routed_ms, sent_ms;     /* monotonic; 0 = not yet */
	struct buf hosts;      /* attempt lines of the hosts after which the next one was tried */
	struct buf transcript; /* packed; stored after the result */
};

/* Takes j, also on failure (then the job was given back). coming: the queue of the job's site.
 * Callbacks may be called within it. */
void delivery_start(struct delivery_set *set, struct job *j, struct delivery_queue *coming);
/* Fills in *mail, borrowed from d until delivery_finish. -1: d cannot be sent now, and was given
 * back or settled. */
int delivery_prepare(struct delivery *d, struct connection_mail *mail);
/* The connection did not take the prepared mail. */
void delivery_refuse(struct delivery *d, const struct err *why);
/* The body is written: asks the store whether the lease is still ours. fn is called once, unless
 * delivery_finish comes first. */
void delivery_ask_fence(struct delivery *d, delivery_fence_fn *fn, void *arg);
/* The transaction is over. results: one for each recipient of the mail; copied. True: the delivery
 * continues with this host or another, or goes back to the queue, which does not count as an
 * attempt. False: it is being settled. */
bool delivery_finish(struct delivery *d, const struct connection_result *results, size_t n,
		     const struct attempt_source *source);
/* No channel could be opened: the same result for all recipients of the next transaction. source
 * NULL = no host was tried. */
void delivery_fail(struct delivery *d, const struct connection_result *result,
		   const struct attempt_source *source);
/* Returns the job to the queue; this does not count as an attempt. site: the site that the MX
 * lookup found, or NULL. */
void delivery_give_back(struct delivery *d, const char *site);
/* True if this host failed for this mail. */
bool delivery_avoids(const struct delivery *d, const char *host);
/* True if the route has exactly the hosts that are left for this mail. */
bool delivery_has_hosts(const struct delivery *d, const struct route *route);
/* Frees d; no callback is called. */
void delivery_free(struct delivery *d);

#endif
