#ifndef SERVER_STORE_PROJECTS_INBOX_H
#define SERVER_STORE_PROJECTS_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct redis;

/* The test inbox: mails that the built-in sink received, by tenant and recipient. A mail is kept
 * for 24 h, and the last 100 mails of an address. The content is kept once for all recipients.
 *
 * The oldest mails are removed when the inbox of a tenant takes more than the setting
 * test_inbox_bytes, or all test inboxes more than 5 % of Redis's memory (of the largest inbox
 * first). If Redis uses 70 % of its memory or more, no mail is kept, and all test inboxes are
 * emptied: live mail is refused from 80 % on. */

#define INBOX_MAIL_BYTES ((size_t)1 << 20) /* of a mail are kept */

/* ---- put, delete ---- */

/* A mail, borrowed until the callback has fired. */
struct inbox_put {
	const char *project; /* the tenant */
	const char *message; /* msg_... */
	const char *sender;
	int64_t received_ms;
	const char *mail; /* octets as received, without dot-stuffing */
	size_t mail_len;
	char *const *recipients;
	size_t n_recipients;
};
/* why NULL: done. is_kept: false if there is no room for it. */
typedef void inbox_put_fn(bool is_kept, const struct err *why, void *arg);
void inbox_put(struct redis *redis, const struct inbox_put *put, inbox_put_fn *fn, void *arg);

/* why NULL: done. */
typedef void inbox_done_fn(const struct err *why, void *arg);
/* Removes the mails of a recipient (NULL: of all) that are there now. */
void inbox_delete(struct redis *redis, const char *project, const char *recipient,
		  inbox_done_fn *fn, void *arg);

/* ---- list, wait ---- */

struct inbox_mail {
	char message[31]; /* msg_... */
	const char *recipient;
	const char *sender;
	int64_t received_ms;
	const char *mail; /* at most INBOX_MAIL_BYTES */
	size_t mail_len;
};

struct inbox_query {
	const char *project;   /* the tenant */
	const char *recipient; /* letter case does not matter; NULL: all */
	size_t limit;
	int64_t since_ms; /* received then or later */
	int64_t before;   /* `next` of the previous page; 0 = the first page */
};

/* Newest first, with at most 4 MB of mail, or one mail. */
struct inbox_page {
	const struct inbox_mail *mails;
	size_t n;
	int64_t next;    /* 0: the last page */
	int64_t dropped; /* mails of the tenant that were removed or not kept for lack of room */
};

/* Borrowed for the callback. page NULL: why is set. */
typedef void inbox_fn(const struct inbox_page *page, const struct err *why, void *arg);
/* A process reads at most 4 pages from Redis at a time; the others wait. Tenants of which no page
 * is read now come first. */
void inbox_list(struct redis *redis, const struct inbox_query *q, inbox_fn *fn, void *arg);

/* As inbox_list, but waits for a mail if there is none, at most wait_ms (and at most 60 s). With
 * 1,000 waiters in the process, it does not wait. Needs REDIS_SUBSCRIBER. */
void inbox_wait(struct redis *redis, const struct inbox_query *q, int64_t wait_ms, inbox_fn *fn,
		void *arg);

/* ---- for the files that implement it ---- */

#define INBOX_PARTITION 0
#define INBOX_LIMIT_MS 5000
#define INBOX_RECIPIENT_MAX 256
/* The name of a recipient in Redis: the address in lower case; NULL: of all. */
void inbox_write_name(const char *recipient, char out[INBOX_RECIPIENT_MAX]);

#endif
