#ifndef SERVER_STORE_QUEUE_JOB_LEASE_H
#define SERVER_STORE_QUEUE_JOB_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;
struct job;

/* The leases of a relay: the fence before the final dot, renewal, return. An owner is one
 * incarnation of a relay process; each process has one. Requests of one kind are sent in batches.
 * Each callback fires exactly once, after the call has returned. There is no time limit: it waits
 * while Redis is down. */

#define JOB_LEASE_MS 60000       /* renewed every third of it */
#define JOB_LEASE_OWNER_MS 60000 /* without a sign of life for this long, an owner is dead */

/* The fence: call it before the final dot is sent. is_ours: the lease is valid and lasts from now
 * for the 10 minutes of RFC 5321 4.5.3.2.6. Else do not send the dot. */
typedef void job_lease_fence_fn(bool is_ours, int64_t lease_until_ms, void *arg);
void job_lease_fence(struct redis *redis, const char *owner, const struct job *j,
		     job_lease_fence_fn *fn, void *arg);

/* Renews leases, and reports to every partition that the owner is alive. fn fires for each job, in
 * order; is_ours false: the lease is lost. n may be 0. */
typedef void job_lease_renew_fn(const char *ref, int64_t epoch, bool is_ours,
				int64_t lease_until_ms, void *arg);
void job_lease_renew(struct redis *redis, const char *owner, struct job *const *jobs, size_t n,
		     job_lease_renew_fn *fn, void *arg);

/* Returns a job that was not tried; this counts no attempt. site: the site of the destination if it
 * is known, or NULL. The job is ready again after delay_ms. If memory runs out, the lease expires
 * instead. */
void job_lease_give_back(struct redis *redis, const char *owner, const struct job *j,
			 const char *site, int64_t delay_ms);

/* The number of fences and returned jobs without a reply; a draining relay waits for 0. */
size_t job_lease_unanswered(struct redis *redis);

#endif
