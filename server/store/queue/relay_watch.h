#ifndef SERVER_STORE_QUEUE_RELAY_WATCH_H
#define SERVER_STORE_QUEUE_RELAY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Watches whether relays take ready mail. Without a relay, or with relays on another Redis,
 * accepted mail is stored but not delivered. Mail is still accepted; the log, a metric and /readyz
 * report the problem. */

struct redis;

/* Starts a check every few seconds. -1: out of memory. */
int relay_watch_start(struct redis *redis);

/* False if mail has been ready for a minute, and in that time no relay took mail or gave a sign of
 * life; also while a relay reports that it has no connection for lane otp. why then gets a sentence
 * for an operator. True before relay_watch_start. */
bool relay_watch_holds(struct redis *redis, const char **why);

/* For relays: jobs of lane otp have waited for a free connection for seconds. Call it again while
 * that is so. */
void relay_watch_report(struct redis *redis);

/* For tests: sets the times. -1: out of memory. */
int relay_watch_limit(struct redis *redis, int64_t every_ms, int64_t patience_ms);

#endif
