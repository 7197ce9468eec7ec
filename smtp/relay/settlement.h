#ifndef SMTP_RELAY_SETTLEMENT_H
#define SMTP_RELAY_SETTLEMENT_H

#include <stdbool.h>

struct attempt_source;
struct delivery;

/* Brings the results of a delivery to the store. In this order: log and metrics; the journal, if
 * the dot was written; lua/queue/settle.lua; the transcript of a failed attempt. */

/* Called once, later on the loop. is_applied false: the lease was lost, or the store is closing. */
typedef void settlement_fn(struct delivery *d, bool is_applied);

/* Settles all of d->results and ends the lease. source: the connection that was used or tried, NULL
 * = none. -1: out of memory, and no dot was written: give the job back. */
int settlement_start(struct delivery *d, const struct attempt_source *source, settlement_fn *done);
/* Settles the last d->n_ended results and keeps the lease for the other recipients. Their next dot
 * must wait for `done`: the store then counts the job as before its dot. */
int settlement_start_part(struct delivery *d, const struct attempt_source *source,
			  settlement_fn *done);
/* No recipient has a final result after the dot, and another transaction follows for all of them.
 * When `done` is called, the store counts the job as before its dot. */
void settlement_clear_dot(struct delivery *d, settlement_fn *done);

#endif
