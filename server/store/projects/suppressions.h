#ifndef SERVER_STORE_PROJECTS_SUPPRESSIONS_H
#define SERVER_STORE_PROJECTS_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/id.h"

struct redis;

/* The addresses that a project's mail does not go to: live mail and test mail each have a list.
 * Accept and settle (lua/) look at it and add to it; here it is read and changed by request.
 *
 * Each partition has the list, so that accept can look at it in the same step; a change goes to
 * all. What a bounce added is in the partition of its message first: see spread.h. */

struct suppressions {
	char project[12];
	bool is_test;
};

struct suppression {
	const char *email;  /* lower case */
	const char *reason; /* "bounce", "manual" */
	int64_t at_ms;
	char message[ID_LEN + 1]; /* the one that bounced, or "" */
};

/* is_new: it was not on the list before. entry NULL: ERR_NOT_FOUND, ERR_RETRY. Borrowed. */
typedef void suppression_fn(const struct suppression *entry, bool is_new, const struct err *why,
			    void *arg);
void suppressions_add(struct redis *redis, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg);
void suppressions_get(struct redis *redis, const struct suppressions *list, const char *email,
		      suppression_fn *fn, void *arg);
/* fn gets entry NULL; why NULL: removed. */
void suppressions_remove(struct redis *redis, const struct suppressions *list, const char *email,
			 suppression_fn *fn, void *arg);

/* Where to go on: below this time, but for so many of just this time. {0, 0}: the newest. */
struct suppressions_place {
	int64_t at_ms;
	size_t skip;
};
/* Newest first; fewer than max: the end. */
typedef void suppressions_fn(const struct suppression *entries, size_t n, const struct err *why,
			     void *arg);
void suppressions_list(struct redis *redis, const struct suppressions *list,
		       const struct suppressions_place *from, size_t max, suppressions_fn *fn,
		       void *arg);

#endif
