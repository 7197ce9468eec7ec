#ifndef SERVER_STORE_QUEUE_RELAY_WATCH_H
#define SERVER_STORE_QUEUE_RELAY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Watches whether relays take the mail that is ready. Without a relay, or with relays on another
 * Redis, accepted mail is durable but nobody delivers it. Accepting continues; the log, a metric
 * and /readyz report it. */

struct redis;

/* Starts to check, every few seconds. -1: out of memory. */
int relay_watch_start(struct redis *redis);

/* False while mail has been ready for a minute and no relay took any or gave a sign of life in that
 * time; why gets a sentence for an operator. True before relay_watch_start. */
bool relay_watch_holds(struct redis *redis, const char **why);

/* For tests: other times than the usual ones. -1: out of memory. */
int relay_watch_limit(struct redis *redis, int64_t every_ms, int64_t patience_ms);

#endif
