#ifndef SERVER_STORE_MESSAGES_MESSAGES_H
#define SERVER_STORE_MESSAGES_MESSAGES_H

#include "server/store/messages/record.h"

struct redis;

/* Reading messages. record is NULL when there is none, when it belongs to another project
 * (ERR_NOT_FOUND, the same in both cases), or when the store cannot tell now (ERR_RETRY). Borrowed
 * for the call. fn fires exactly once, within 5 s. */
typedef void messages_fn(const struct record *record, const struct err *why, void *arg);
void messages_get(struct redis *redis, const char *project, const char *id, messages_fn *fn,
		  void *arg);

/* What became of an order to change a message that messages_get found: see lua/cancel.lua and
 * retry.lua. Both give the same store when run twice. */
struct messages_done {
	int64_t done;  /* cancel: recipients that are canceled; retry: jobs whose turn came now */
	int64_t taken; /* cancel: recipients at their final dot; retry: jobs that a relay has */
};
typedef void messages_done_fn(const struct messages_done *done, const struct err *why, void *arg);
void messages_cancel(struct redis *redis, const char *id, messages_done_fn *fn, void *arg);
void messages_retry(struct redis *redis, const char *id, messages_done_fn *fn, void *arg);

#endif
