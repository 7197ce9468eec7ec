#ifndef SMTP_RELAY_SETTLEMENT_H
#define SMTP_RELAY_SETTLEMENT_H

#include <stdbool.h>

struct attempt_source;
struct delivery;

/* The results of a delivery on their way to the store: log and metrics, the journal when the dot
 * was written, then lua/queue/settle.lua, then the transcript of a failed attempt. */

/* Fires once, later. is_applied false: the lease was lost, or the store is being closed. */
typedef void settlement_fn(struct delivery *d, bool is_applied);

/* Settles all of d->results and ends the lease. source: the connection that was used or tried, NULL
 * = none. -1: out of memory, and no dot was written: give the job back. */
int settlement_start(struct delivery *d, const struct attempt_source *source, settlement_fn *done);
/* Settles the last d->n_ended results and keeps the lease for the other recipients. Their next dot
 * must wait for `done`: the store then counts the job as before its dot. */
int settlement_start_part(struct delivery *d, const struct attempt_source *source,
			  settlement_fn *done);

#endif
