#ifndef SMTP_RELAY_RETRY_H
#define SMTP_RELAY_RETRY_H

#include <stdint.h>

struct delivery;

/* When deferred recipients are tried again. */

/* Delay until the next attempt, from d->results. Where a server named a time ("try again in 5
 * minutes"), that time, up to retry_max_s and 10 % more. Else the first retry of the lane, doubled
 * with each attempt up to retry_max_s, and up to 20 % more. Never less: greylisting servers refuse
 * a mail that comes early. */
int64_t retry_delay_ms(const struct delivery *d);

/* The seconds that the text of a temporary refusal names, 0 = none. Reads the time of day format
 * hh:mm:ss and numbers with a unit (seconds, minutes, hours). Text is the server's: at most
 * RETRY_HINT_MAX_S is returned. */
#define RETRY_HINT_MAX_S 86400
int64_t retry_hint_s(const char *text);

#endif
