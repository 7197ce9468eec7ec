#ifndef SERVER_STORE_QUEUE_JOBS_H
#define SERVER_STORE_QUEUE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/store/messages/record.h"

struct redis;

/* The relay's side of the queue. Each call is queued and goes out with the others of its kind in
 * one batch a loop turn. All end in exactly one callback, however long the store is away; none
 * fires from within. An owner is one incarnation of a relay process. */

#define JOB_REF_MAX 40 /* message id and 3 hex digits */

struct job {
	char ref[JOB_REF_MAX];
	int64_t epoch;
	char site[256];
	unsigned number;      /* of the job in its message */
	struct record record; /* all recipients of the message; those with .job == number are this
				 job's */
	char *mail;           /* final bytes, NULL while they are in chunks: job_fetch */
	size_t mail_len;
	int64_t lease_until_ms; /* monotonic: nothing may be sent to the dot after it without
				   renewal */
};
void job_free(struct job *j);
/* "msg_..." of the job. */
const char *job_message(const struct job *j, char out[31]);

/* ---- take ---- */

struct jobs_site {
	const char *site; /* one we have connections to */
	unsigned want;    /* jobs for these connections */
	unsigned grow;    /* more connections wanted */
	unsigned has;     /* connections that we have, of this partition */
};

struct jobs_slots {
	const char *site;
	unsigned count; /* connections that may now be opened */
};

struct jobs_taken {
	struct job **jobs; /* the callee takes the jobs, not the array */
	size_t n_jobs;
	const struct jobs_slots *slots; /* borrowed */
	size_t n_slots;
	bool is_full; /* as many as were asked for, or as many bytes as a call may carry: there may
			 be more */
};

struct jobs_request {
	unsigned max_jobs;
	unsigned free_connections;
	const struct jobs_site *sites; /* borrowed for the call */
	size_t n_sites;
	bool is_complete; /* we have no connections but these: the store forgets others */
};

/* One at a time a partition. taken is NULL when nothing could be asked (logged). */
typedef void jobs_take_fn(const struct jobs_taken *taken, void *arg);
void jobs_take(struct redis *redis, const char *owner, unsigned partition,
	       const struct jobs_request *request, jobs_take_fn *fn, void *arg);

/* Reads the mail of a job whose content lies in chunks. why NULL: j->mail is there; ERR_RETRY: the
 * store is being closed. */
typedef void jobs_done_fn(const struct err *why, void *arg);
void jobs_fetch(struct redis *redis, struct job *j, jobs_done_fn *fn, void *arg);

/* ---- the fence ---- */

/* is_yours: the lease holds and now outlasts the 10 minutes of RFC 5321 4.5.3.2.6. */
typedef void jobs_fence_fn(bool is_yours, int64_t lease_until_ms, void *arg);
void jobs_dot(struct redis *redis, const char *owner, const struct job *j, jobs_fence_fn *fn,
	      void *arg);

/* Renews leases and tells that the owner lives; fn a job (in order), is_yours false = lost. jobs
 * may be empty: then fn does not fire. */
typedef void jobs_renewed_fn(const char *ref, int64_t epoch, bool is_yours, int64_t lease_until_ms,
			     void *arg);
void jobs_renew(struct redis *redis, const char *owner, struct job *const *jobs, size_t n,
		jobs_renewed_fn *fn, void *arg);

/* ---- results ---- */

enum jobs_settled {
	SETTLED_LOST,
	SETTLED_APPLIED,
	SETTLED_BEFORE,
	SETTLED_LATE,
	SETTLED_GONE,
	SETTLED_UNANSWERED, /* the store is being closed, or refused for good: the journal keeps it
			     */
};
typedef void jobs_settle_fn(enum jobs_settled how, void *arg);
/* results: lines "<recipient> <outcome> <code> <dup or -> <text>\n", before them perhaps
 * "a <attempt.h>\n", as in lua/settle.lua. */
void jobs_settle(struct redis *redis, const char *owner, const char *ref, int64_t epoch,
		 int64_t retry_ms, const char *results, jobs_settle_fn *fn, void *arg);

/* Returns a job untried. site: what was learned, or NULL. */
void jobs_give_back(struct redis *redis, const char *owner, const struct job *j, const char *site,
		    int64_t delay_ms);

/* Connections that were closed (or never opened). fn may be NULL. */
void jobs_give_slots(struct redis *redis, const char *owner, unsigned partition, const char *site,
		     unsigned count, jobs_done_fn *fn, void *arg);

/* No host of the site lets us in: all relays leave it alone for a while, longer with each time.
 * code: the server's, 0 = none came. */
void jobs_rest(struct redis *redis, const char *site, int code, const char *why);

/* All leases and slots of a dead owner; fn when nothing is left. */
void jobs_release_owner(struct redis *redis, const char *owner, jobs_done_fn *fn, void *arg);

/* Calls that are not answered yet: a draining relay waits for 0. */
size_t jobs_unanswered(struct redis *redis);

/* fn when there may be work; also after each new subscription. Needs REDIS_SUBSCRIBER. */
typedef void jobs_wake_fn(void *arg);
void jobs_listen(struct redis *redis, jobs_wake_fn *fn, void *arg);

#endif
