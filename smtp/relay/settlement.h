#ifndef SMTP_RELAY_SETTLEMENT_H
#define SMTP_RELAY_SETTLEMENT_H

struct attempt_source;
struct delivery;

/* The result of a delivery on its way to the store: log and metrics, the journal when the dot was
 * written, then lua/settle.lua, then the transcript of a failed attempt. */

/* Settles d->results. done fires once, later. source: the connection that was used or tried, NULL =
 * none. -1: out of memory, and no dot was written: give the job back. */
int settlement_start(struct delivery *d, const struct attempt_source *source,
		     void (*done)(struct delivery *d));

#endif
