#ifndef SERVER_STORE_MESSAGES_MESSAGES_H
#define SERVER_STORE_MESSAGES_MESSAGES_H

#include "server/store/messages/record.h"

struct redis;

/* Reads and changes single messages for API requests. Each fn fires exactly once, after the call
 * has returned, within 5 s (10 s for a scheduled or deferred message). */

/* record is borrowed for the callback. NULL: ERR_NOT_FOUND (no such message, or it belongs to
 * another project), ERR_RETRY, ERR_INTERNAL. project NULL: any, for operators. */
typedef void messages_fn(const struct record *record, const struct err *why, void *arg);
void messages_get(struct redis *redis, const char *project, const char *id, messages_fn *fn,
		  void *arg);

/* Changes a message that messages_get found: lua/queue/cancel.lua, lua/queue/retry.lua. Running a
 * change twice leaves the same state as running it once. */
struct messages_done {
	int64_t done;    /* cancel: recipients that are canceled; retry: jobs that are due now */
	int64_t taken;   /* cancel: recipients at their final dot; retry: jobs leased to a relay */
	int64_t wait_ms; /* retry: above 0, nothing was done; it is too early by so much */
};
typedef void messages_done_fn(const struct messages_done *done, const struct err *why, void *arg);
void messages_cancel(struct redis *redis, const char *id, messages_done_fn *fn, void *arg);
/* At most one retry of a message in 10 s. */
void messages_retry(struct redis *redis, const char *id, messages_done_fn *fn, void *arg);

#endif
