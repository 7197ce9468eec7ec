#ifndef SMTP_RELAY_RETRY_H
#define SMTP_RELAY_RETRY_H

#include <stdint.h>

struct delivery;

/* The time at which deferred recipients are tried again. */

/* Delay until the next attempt, from d->results. If a server named a time ("try again in 5
 * minutes"): that time, at most retry_max_s, plus up to 10 %. Else the first retry of the lane,
 * doubled with each attempt, at most retry_max_s, plus up to 20 %. It is never shorter, because
 * greylisting servers refuse a mail that comes early. */
int64_t retry_delay_ms(const struct delivery *d);

/* The seconds that the text of a temporary refusal names, 0 = none. Reads the time of day format
 * hh:mm:ss and numbers with a unit (seconds, minutes, hours). The text may be hostile: at most
 * RETRY_HINT_MAX_S is returned. */
#define RETRY_HINT_MAX_S 86400
int64_t retry_hint_s(const char *text);

#endif
