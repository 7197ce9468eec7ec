#ifndef SERVER_STORE_PROJECTS_INBOX_H
#define SERVER_STORE_PROJECTS_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* The test inbox: mails that the built-in sink received, by project and recipient. The last 100
 * mails of an address and of a project are kept, 1 MB of each, until 24 h after the last one. */

struct inbox_mail {
	char message[31]; /* msg_... */
	const char *recipient;
	const char *sender;
	int64_t received_ms;
	const char *mail; /* octets as received, without dot-stuffing */
	size_t mail_len;
};

struct inbox_query {
	const char *project;
	const char *recipient; /* letter case does not matter; NULL: all */
	size_t limit;
	int64_t since_ms; /* received then or later */
};
/* Newest first; borrowed for the callback. mails NULL: why is set. */
typedef void inbox_fn(const struct inbox_mail *mails, size_t n, const struct err *why, void *arg);
void inbox_list(struct redis *redis, const struct inbox_query *q, inbox_fn *fn, void *arg);

/* As inbox_list, but waits for a mail if there is none, at most wait_ms (and at most 60 s). With
 * 1,000 waiters in the process, it does not wait. Needs REDIS_SUBSCRIBER. */
void inbox_wait(struct redis *redis, const struct inbox_query *q, int64_t wait_ms, inbox_fn *fn,
		void *arg);

/* why NULL: done. */
typedef void inbox_done_fn(const struct err *why, void *arg);
/* Removes the mails of a recipient (NULL: of all). */
void inbox_delete(struct redis *redis, const char *project, const char *recipient,
		  inbox_done_fn *fn, void *arg);
/* Adds a mail; for the sink. */
void inbox_put(struct redis *redis, const char *project, const struct inbox_mail *m,
	       inbox_done_fn *fn, void *arg);

#endif
