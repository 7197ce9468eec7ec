#ifndef SERVER_SUPERVISOR_SUPERVISOR_H
#define SERVER_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

#include "server/role/role.h"

/* The process above all others: forks the children, starts dead ones again with back-off, has the
 * work of dead relays recovered, and ends the house in order. One thread, no event loop (those are
 * made after the fork), nothing but sigtimedwait(2).
 *
 * SIGTERM, SIGINT: all children but the floor get SIGTERM and may drain for drain_s + 5 s, then
 * SIGKILL; then the floor ends. A second one: at once.
 *
 * SIGHUP (see hangup_ends): a new generation of workers starts beside the old one; when all of it
 * has lived for a moment, the old one gets SIGUSR1 (drain, with all the time it takes) where it
 * serves somebody, SIGTERM where not, and is not started again. If one of the new ones dies in that
 * moment, the new ones go and the old ones stay. */

/* One kind of child. */
struct supervisor_job {
	const char *role; /* in log lines; static */
	role_fn *run;
	role_fn *recover; /* or NULL: runs with the owner of each dead one until it returns 0 */
	unsigned count;
	bool listens;  /* keeps the listening sockets */
	bool is_floor; /* the others stand on it: up before them, ends after them, own process
			  group, keeps lock_fd */
	bool is_once;  /* runs once; when it fails, the house ends */
	bool (*is_up)(const struct config *config); /* floor only */
	const char *hint;            /* floor only: where to look when it does not come up */
	const struct config *config; /* NULL: the plan's */
};

struct supervisor_plan {
	const struct config *config;
	const int *listen_fds;
	size_t n_listen_fds;
	int lock_fd;      /* -1 = none */
	bool hangup_ends; /* SIGHUP is the terminal going away */
	/* SIGHUP otherwise: the jobs of another generation, which live as long as the plan; -1: e
	 * says what is wrong, and everything stays as it is. NULL: SIGHUP does nothing. */
	int (*reload)(void *arg, const struct supervisor_job **jobs, size_t *n, struct err *e);
	void *reload_arg;
	const struct supervisor_job *jobs;
	size_t n_jobs;
	const char *const *dead_owners; /* of an earlier run that did not end in order */
	size_t n_dead_owners;
};

#define SUPERVISOR_CHILDREN_MAX 256

/* Until the house has ended. 0: by signal, everything in order; 1: the floor did not come up, or a
 * job that runs once failed. Call metrics_init before. */
int supervisor_run(const struct supervisor_plan *plan);

#endif
