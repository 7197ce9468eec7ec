#ifndef SERVER_STORE_PROJECTS_SUPPRESSIONS_H
#define SERVER_STORE_PROJECTS_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/id.h"

struct redis;

/* The suppression list of a tenant (tenant.h): addresses that get no mail. The scripts accept, take
 * and settle use the lists; these functions read and change them for API requests. Each fn fires
 * exactly once, after the call has returned, within 10 s.
 *
 * Each partition has a copy of the list, so that accept can read it in the same step. A change by
 * request goes to all partitions. A bounce adds the address in the partition of its message;
 * suppression_sync.h copies it. */

struct suppression {
	const char *email;  /* in lower case */
	const char *reason; /* "bounce", "manual" */
	int64_t at_ms;
	char message[ID_LEN + 1]; /* the message that bounced, or "" */
};

/* is_new: it was not on the list before. entry NULL: ERR_NOT_FOUND, ERR_REFUSED (the list is full),
 * ERR_RETRY, ERR_INTERNAL. Borrowed for the callback. */
typedef void suppression_fn(const struct suppression *entry, bool is_new, const struct err *why,
			    void *arg);
void suppressions_add(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg);
void suppressions_get(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg);
/* fn gets entry NULL. why NULL: the address was removed. */
void suppressions_remove(struct redis *redis, const char *tenant, const char *email,
			 suppression_fn *fn, void *arg);

/* Where a page starts: at the entries of at_ms, after the first `skip` of them. {0, 0}: at the
 * newest entry. */
struct suppressions_place {
	int64_t at_ms;
	size_t skip;
};
/* Newest first; fewer than max: the end. entries NULL: why is set. Borrowed for the callback. */
typedef void suppressions_fn(const struct suppression *entries, size_t n, const struct err *why,
			     void *arg);
void suppressions_list(struct redis *redis, const char *tenant,
		       const struct suppressions_place *from, size_t max, suppressions_fn *fn,
		       void *arg);

#endif
