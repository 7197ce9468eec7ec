#ifndef SERVER_HOOKS_LEASE_H
#define SERVER_HOOKS_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/id.h"
#include "server/store/projects/deliveries.h"

/* The lease in the store; only the hooks process that holds it is active. The batch of changes is
 * committed together with it. Add changes to `batch`; lease_tick sends them. One commit is under
 * way at a time; a change that is added during it goes into the next batch. */

/* After each commit. is_ours false: another process has the lease, and nothing was written. */
typedef void lease_fn(bool is_ours, void *arg);

struct lease {
	struct redis *redis;
	char owner[ID_LEN + 1];
	struct deliveries_batch batch;
	bool is_held;
	bool is_given_up; /* the last batch, which releases the lease, was sent */
	bool is_committing;
	uint64_t filling;   /* number of the batch that is being filled */
	uint64_t committed; /* number of the last batch that is in the store */
	int64_t renew_at;   /* monotonic ms */
	lease_fn *fn;
	void *arg;
};

void lease_init(struct lease *l, struct redis *redis, lease_fn *fn, void *arg);
void lease_deinit(struct lease *l);
/* Commits if there are changes, if the lease must be requested or renewed, or if gives_up is true:
 * then it releases the lease, and later ticks commit nothing. */
void lease_tick(struct lease *l, int64_t now_ms, bool gives_up);

#endif
