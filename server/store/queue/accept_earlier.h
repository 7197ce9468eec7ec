#ifndef SERVER_STORE_QUEUE_ACCEPT_EARLIER_H
#define SERVER_STORE_QUEUE_ACCEPT_EARLIER_H

#include <stdbool.h>

#include "server/base/err.h"

struct redis;

/* An Idempotency-Key selects the partition of its message, so the same key selects another one
 * after the number of partitions has grown. Then its earlier message is searched where the key was
 * before. */

/* Sizes of copies, with a NUL: of a tenant's name, and of the hash of a key. */
#define ACCEPT_PROJECT_MAX 16
#define ACCEPT_KEY_MAX 72

/* value: of the key, "fingerprint id"; "": no message. NULL: the search failed, see why. */
typedef void accept_earlier_fn(const char *value, const struct err *why, void *arg);
/* Searches the partitions that the key selected within POSTERN_IDEMPOTENCY_S before the step with n
 * partitions. If that step has not begun, it waits: until then, such a partition may get a message.
 * Returns false if there is nothing to search. Else fn fires once, after this has returned. */
bool accept_earlier_find(struct redis *redis, const char *project, const char *key, unsigned n,
			 accept_earlier_fn *fn, void *arg);

#endif
