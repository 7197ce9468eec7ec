#ifndef SERVER_STORE_QUEUE_RELAY_WATCH_H
#define SERVER_STORE_QUEUE_RELAY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Does anybody take the mail that is ready? A deployment without a relay, or with relays on another
 * store, accepts mail that nobody delivers. It is durable, so accepting goes on; but it is told:
 * by one line of the log, a gauge, and /readyz. */

struct redis;

/* Starts to look, every few seconds. */
void relay_watch_start(struct redis *redis);

/* False while mail has been ready for a minute, and no relay took any or gave a sign of life in
 * that time. why gets a sentence for an operator. True before relay_watch_start. */
bool relay_watch_holds(struct redis *redis, const char **why);

/* For tests: other times than those of the watch. */
void relay_watch_limit(struct redis *redis, int64_t every_ms, int64_t patience_ms);

#endif
