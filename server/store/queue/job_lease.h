#ifndef SERVER_STORE_QUEUE_JOB_LEASE_H
#define SERVER_STORE_QUEUE_JOB_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;
struct job;

/* The leases of a relay: the fence before the final dot, renewal, giving back. An owner is one
 * incarnation of a relay process; a process has one. Requests of one kind go out in batches. Each
 * callback fires exactly once, never from within, however long Redis is away. */

#define JOB_LEASE_MS 60000       /* renewed every third of it */
#define JOB_LEASE_OWNER_MS 60000 /* without a sign of life for this long, an owner is dead */

/* The fence: must be asked before the final dot is sent. is_ours: the lease holds, and lasts the 10
 * minutes of RFC 5321 4.5.3.2.6 from now on. */
typedef void job_lease_fence_fn(bool is_ours, int64_t lease_until_ms, void *arg);
void job_lease_fence(struct redis *redis, const char *owner, const struct job *j,
		     job_lease_fence_fn *fn, void *arg);

/* Renews leases, and gives the owner's sign of life to every partition. fn fires for each job, in
 * order; is_ours false: the lease is lost. n may be 0. */
typedef void job_lease_renew_fn(const char *ref, int64_t epoch, bool is_ours,
				int64_t lease_until_ms, void *arg);
void job_lease_renew(struct redis *redis, const char *owner, struct job *const *jobs, size_t n,
		     job_lease_renew_fn *fn, void *arg);

/* Returns a job that was not tried; this counts no attempt. site: the destination's site, if it was
 * learned, or NULL. When memory runs out the lease runs out instead. */
void job_lease_give_back(struct redis *redis, const char *owner, const struct job *j,
			 const char *site, int64_t delay_ms);

/* Fences and jobs given back without a reply: a draining relay waits for 0. */
size_t job_lease_unanswered(struct redis *redis);

#endif
