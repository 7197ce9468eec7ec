#ifndef SERVER_STORE_MESSAGES_H
#define SERVER_STORE_MESSAGES_H

#include "server/store/record.h"

struct store;

/* Reading messages. record is NULL when there is none, when it belongs to another project
 * (ERR_NOT_FOUND, the same in both cases), or when the store cannot tell now (ERR_RETRY). Borrowed
 * for the call. fn fires exactly once, within 5 s. */
typedef void messages_fn(const struct record *record, const struct err *why, void *arg);
void messages_get(struct store *s, const char *project, const char *id, messages_fn *fn, void *arg);

#endif
