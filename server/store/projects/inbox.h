#ifndef SERVER_STORE_PROJECTS_INBOX_H
#define SERVER_STORE_PROJECTS_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* The test inbox: what the built-in sink received, by project and recipient. Capped (100 mails an
 * address, 1 MB a mail kept) and expiring (24 h after the last mail). */

struct inbox_mail {
	char message[31]; /* msg_... */
	const char *recipient;
	const char *sender;
	int64_t received_ms;
	const char *mail; /* as received, un-stuffed */
	size_t mail_len;
};

/* Newest first. why: ERR_RETRY. Borrowed for the call. */
typedef void inbox_fn(const struct inbox_mail *mails, size_t n, const struct err *why, void *arg);
void inbox_list(struct redis *redis, const char *project, const char *recipient, size_t limit,
		inbox_fn *fn, void *arg);

/* As inbox_list, but waits until there is at least one mail, at most wait_ms (bounded to 60,000).
 * At most 1,000 waiters a process; above that it answers at once. Needs REDIS_SUBSCRIBER. */
void inbox_wait(struct redis *redis, const char *project, const char *recipient, size_t limit,
		int64_t wait_ms, inbox_fn *fn, void *arg);

/* done(why): NULL = stored. For the sink. */
typedef void inbox_done_fn(const struct err *why, void *arg);
void inbox_put(struct redis *redis, const char *project, const struct inbox_mail *m,
	       inbox_done_fn *fn, void *arg);

#endif
