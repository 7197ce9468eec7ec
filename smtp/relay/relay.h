#ifndef SMTP_RELAY_RELAY_H
#define SMTP_RELAY_RELAY_H

#include <stdbool.h>

#include "server/base/loop.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/site.h"

/* A relay: decides what to take from the queue and when, keeps the leases of what it holds, and
 * drains. */

/* Zeroed, then context, on_drained and arg filled in by the owner. */
struct relay {
	struct relay_context context;
	void (*on_drained)(void *arg); /* may fire more than once */
	void *arg;

	struct sites sites;
	struct delivery_set deliveries;
	struct loop_post take_post;
	struct loop_timer poll, renew;

	/* A round asks each partition once. */
	unsigned n_open_takes; /* calls of this round that are not answered */
	bool wants_new;        /* sites that we have no channel to may have work */
	bool has_asked_new;    /* in this round */
	bool has_found;        /* slots, or as many jobs as allowed, in this round */
	bool is_woken;         /* work became ready since the round began */
	bool looks_again;      /* when the round is over */
	bool reports_all;      /* the next round reports all slots that we know of */
};

int relay_start(struct relay *r, struct err *e) __attribute__((warn_unused_result));
/* Takes no more, gives back what waits, lets transactions end; then on_drained. */
void relay_drain(struct relay *r);
unsigned relay_count_jobs(const struct relay *r);
/* Frees all deliveries and sites; on_drained does not fire. */
void relay_stop(struct relay *r);

#endif
