#ifndef SERVER_SUPERVISOR_SUPERVISOR_H
#define SERVER_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

#include "server/role/role.h"

/* The parent process. It forks the children, restarts dead ones with back-off, starts recoveries
 * for dead relays, and stops everything in order. It has one thread and no event loop (loops are
 * created after the fork); it waits in sigtimedwait(2).
 *
 * SIGTERM, SIGINT: all children but the backend get SIGTERM and may drain for drain_s + 5 s, then
 * they get SIGKILL. The backend is stopped last. After a second signal they have 2 s.
 *
 * SIGHUP (see hangup_ends) reloads: a new generation of workers starts beside the old one. If all
 * new workers live for 3 s, the old ones get SIGUSR1 (relays and API processes: drain with
 * patience) or SIGTERM (all others), and are not restarted. If a new one dies within 3 s, the new
 * ones are stopped and the old ones continue. */

/* One kind of child. */
struct supervisor_job {
	const char *role; /* in log lines; static */
	role_fn *run;
	role_fn *recover; /* or NULL: called with the owner id of each ended child until it returns
			     0 */
	unsigned count;
	bool listens;    /* keeps the listening sockets */
	bool is_backend; /* the other children need it: it starts before them, ends after them,
			    has its own process group and keeps lock_fd */
	bool is_once;    /* runs once; when it fails, everything ends */
	bool (*is_up)(const struct config *config); /* backend only */
	const char *hint;            /* backend only: where to look if it does not start */
	const struct config *config; /* NULL: the plan's */
};

struct supervisor_plan {
	const struct config *config;
	const int *listen_fds;
	size_t n_listen_fds;
	size_t n_metrics_fds; /* the last ones of them */
	int lock_fd;          /* -1 = none */
	bool hangup_ends;     /* SIGHUP means that the terminal was closed */
	/* If hangup_ends is false, SIGHUP calls this for the jobs of a new generation. They must
	 * live as long as the plan. -1: e has the reason, and nothing changes. NULL: SIGHUP does
	 * nothing. */
	int (*reload)(void *arg, const struct supervisor_job **jobs, size_t *n, struct err *e);
	void *reload_arg;
	const struct supervisor_job *jobs;
	size_t n_jobs;
	const char *const *dead_owners; /* of an earlier run; they need recovery */
	size_t n_dead_owners;
};

#define SUPERVISOR_CHILDREN_MAX 256

/* Runs until everything has ended. 0: stopped by a signal; 1: the backend did not start, or a job
 * that runs once failed. Call metrics_init() first. */
int supervisor_run(const struct supervisor_plan *plan);

#endif
