#ifndef SERVER_STORE_PROJECTS_SUPPRESSIONS_H
#define SERVER_STORE_PROJECTS_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/id.h"

struct redis;

/* The addresses that the mail of a tenant (tenant.h) is not sent to. The
 * scripts of accept and settle read the lists and add to them; these functions read and change them
 * by request. Each fn fires exactly once, never from within, within 10 s.
 *
 * Each partition has a copy of the list, so that accept can read it in the same step. A change by
 * request goes to all of them. A bounce adds to the partition of its message first:
 * suppression_sync.h. */

struct suppression {
	const char *email;  /* lower case */
	const char *reason; /* "bounce", "manual" */
	int64_t at_ms;
	char message[ID_LEN + 1]; /* the one that bounced, or "" */
};

/* is_new: it was not on the list before. entry NULL: ERR_NOT_FOUND, ERR_RETRY, ERR_INTERNAL.
 * Borrowed for the callback. */
typedef void suppression_fn(const struct suppression *entry, bool is_new, const struct err *why,
			    void *arg);
void suppressions_add(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg);
void suppressions_get(struct redis *redis, const char *tenant, const char *email,
		      suppression_fn *fn, void *arg);
/* entry is NULL. why NULL: it is removed. */
void suppressions_remove(struct redis *redis, const char *tenant, const char *email,
			 suppression_fn *fn, void *arg);

/* Where a page starts: at this time, without the first `skip` entries of this very time. {0, 0}: at
 * the newest. */
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
