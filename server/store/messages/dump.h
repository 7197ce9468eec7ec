#ifndef SERVER_STORE_MESSAGES_DUMP_H
#define SERVER_STORE_MESSAGES_DUMP_H

#include <stddef.h>

#include "server/base/err.h"

struct redis;

/* What the store has of a message, as texts for an operator: first the record as it is stored,
 * then a line for each key (with type, size and expiry), and for each lease and due time of a job.
 * Borrowed for the callback. texts NULL: ERR_NOT_FOUND, ERR_RETRY, ERR_INTERNAL. */
typedef void dump_fn(const char *const *texts, size_t n, const struct err *why, void *arg);
/* id: a valid msg_ id. fn fires exactly once, after the call has returned, within 5 s. */
void dump_message(struct redis *redis, const char *id, dump_fn *fn, void *arg);

#endif
