#ifndef SMTP_RELAY_ROUNDS_H
#define SMTP_RELAY_ROUNDS_H

struct relay;

/* Rounds of takes. A round asks each partition once that may have work for this relay. A partition
 * that returned less than it was asked for is not asked for the same again before it publishes a
 * wake-up. In case a wake-up is lost, the partitions are asked in turn, a quarter a second. */

/* Starts a round, if there is room for work and a partition to ask. For a loop_post; arg is the
 * relay. */
void rounds_start(void *arg);
/* The partition may have work of any kind. */
void rounds_wake(struct relay *r, unsigned partition);
/* Every second: wakes the next partitions, and ends a round that waits for a Redis that went away.
 */
void rounds_poll(struct relay *r);

#endif
