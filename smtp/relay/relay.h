#ifndef SMTP_RELAY_RELAY_H
#define SMTP_RELAY_RELAY_H

#include <stdbool.h>

#include "server/base/loop.h"
#include "smtp/limits/load.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/partition_set.h"
#include "smtp/relay/shortage.h"
#include "smtp/relay/site.h"

/* A relay: decides what to take from the queue and when, renews the leases of its jobs, and
 * drains. */

/* Zeroed; then the owner fills in context, on_drained and arg. */
struct open_take;
struct relay {
	struct relay_context context;
	void (*on_drained)(void *arg); /* the drain is over; may be called more than once */
	void *arg;

	struct sites sites;
	struct delivery_set deliveries;
	struct loop_post take_post;
	struct loop_timer poll, renew;
	struct load load;

	/* Of rounds.c. */
	unsigned n_open_takes;      /* calls of this round without a reply */
	struct open_take *takes;    /* these, and those of a Redis that went away */
	struct partition_set news;  /* they may have work for sites without a channel */
	struct partition_set woken; /* work became ready since they were asked */
	unsigned n_partitions;      /* that were woken once */
	unsigned next_poll;         /* the next partition to wake */
	bool has_asked_new;         /* for sites without a channel, in this round */
	bool is_woken;              /* work became ready since the round began */
	bool looks_again;           /* start another round when this one is over */
	bool reports_all;           /* the next round reports all slots of this relay */
	struct shortage shortage;
};

int relay_start(struct relay *r, struct err *e) __attribute__((warn_unused_result));
/* Looks for work at the end of this turn. */
void relay_look_for_work(struct relay *r);
/* Calls on_drained if the drain is over. */
void relay_check_drained(struct relay *r);
/* Takes no more jobs, gives back those that wait, lets transactions end; then calls on_drained. */
void relay_drain(struct relay *r);
unsigned relay_count_jobs(const struct relay *r);
/* Frees all deliveries and sites; on_drained is not called. */
void relay_stop(struct relay *r);

#endif
