#ifndef SERVER_STORE_QUEUE_TAKE_H
#define SERVER_STORE_QUEUE_TAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/store/queue/job.h"

struct redis;

/* Takes jobs from the queue of a partition, and slots: the right to open connections to a site. */

struct take_site {
	const char *site; /* a site that we have connections to */
	unsigned want;    /* jobs for these connections */
	unsigned grow;    /* more connections wanted */
	unsigned has;     /* connections that we have, of this partition */
};

struct take_request {
	unsigned max_jobs;
	unsigned free_connections; /* that we may open for any job */
	unsigned otp_connections;  /* further ones, only for jobs of lane otp */
	const char *capped;        /* tenants, with blanks between them, for which we open none */
	const struct take_site *sites; /* borrowed for the call */
	size_t n_sites;
	bool is_complete;  /* sites has all our connections: the store drops our other slots */
	bool asks_waiting; /* the result says whether jobs wait for a connection */
};

struct take_slots {
	const char *site;
	unsigned count;      /* connections that may be opened now */
	const char *project; /* the tenant for which they are granted */
};

/* Numbers as in lua/queue/take.lua. */
enum take_waiting {
	TAKE_NONE_WAITS,
	TAKE_JOBS_WAIT, /* ready jobs have no connection, because no free one is left */
	TAKE_OTP_WAITS, /* among them are jobs of lane otp */
};

/* A site has one entry in slots for each tenant. */
struct take_result {
	struct job **jobs; /* the callback takes the jobs, not the array */
	size_t n_jobs;
	const struct take_slots *slots; /* borrowed for the callback */
	size_t n_slots;
	bool is_full; /* a limit of jobs or bytes was reached: there may be more */
	enum take_waiting waiting;
};

/* owner: one incarnation of a relay process. One call at a time for each partition. result NULL:
 * nothing was taken, or the reply could not be read (logged); unused leases expire. fn fires
 * exactly once, after the call has returned. There is no time limit: it waits while Redis is down.
 */
typedef void take_fn(const struct take_result *result, void *arg);
void take_jobs(struct redis *redis, const char *owner, unsigned partition,
	       const struct take_request *request, take_fn *fn, void *arg);

/* fn fires when the partition may have work, and after each new subscription. For one relay a
 * process. Needs REDIS_SUBSCRIBER. */
typedef void take_wake_fn(unsigned partition, void *arg);
void take_listen(struct redis *redis, take_wake_fn *fn, void *arg);

#endif
