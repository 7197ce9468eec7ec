#ifndef SMTP_RELAY_YIELD_H
#define SMTP_RELAY_YIELD_H

#include <stdint.h>

struct sites;

/* Ends connections that do nothing, because mail waits for a connection: at most `most`. First
 * those of the tenant with the most connections. Of a tenant first those that have been idle for a
 * second, then those that wait for their address, then those that have had no session for
 * silent_ms, then those that have had no reply to MAIL, RCPT or DATA for four times as long; the
 * oldest first. A connection with a body under way does not yield. */
void yield_connections(struct sites *sites, unsigned most, int64_t silent_ms);

#endif
