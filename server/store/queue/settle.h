#ifndef SERVER_STORE_QUEUE_SETTLE_H
#define SERVER_STORE_QUEUE_SETTLE_H

#include <stddef.h>
#include <stdint.h>

struct redis;

/* Writes the results of an attempt into the store. */

enum settle_end {
	SETTLED_LOST, /* another relay had the job; the results were dropped */
	SETTLED_APPLIED,
	SETTLED_BEFORE,  /* the same results were applied before */
	SETTLED_LATE,    /* the lease was lost; only "delivered" was applied */
	SETTLED_GONE,    /* no such job */
	SETTLED_UNKNOWN, /* no reply, refused, or out of memory: the journal must keep the results
			  */
};
typedef void settle_fn(enum settle_end how, void *arg);

#define SETTLE_KEEP_LEASE (-1)

/* retry_ms: delay until deferred recipients are tried again. SETTLE_KEEP_LEASE: the results are
 * final and of some recipients only, or there are none; the lease stays, in the state before its
 * dot, and the owner continues with the others. results: lines "<recipient> <outcome> <code> <dup,
 * sup or -> <text>\n", and before them "h <attempt.h>\n" and "a <attempt.h>\n", as in
 * lua/queue/settle.lua. fn fires exactly once, after the call has returned. There is no time limit:
 * it waits while Redis is down. */
void settle_results(struct redis *redis, const char *owner, const char *ref, int64_t epoch,
		    int64_t retry_ms, const char *results, settle_fn *fn, void *arg);

/* The number of results without a reply; a draining relay waits for 0. */
size_t settle_unanswered(struct redis *redis);

#endif
