#ifndef SERVER_SUPERVISOR_CHILD_H
#define SERVER_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/base/metrics.h"
#include "server/supervisor/supervisor.h"

/* One child of the supervisor over all its restarts: when it starts, and the delay after a death.
 */

#define CHILD_OWNER_MAX 96
#define CHILD_SHARED_SLOT (METRIC_SLOTS - 1) /* for recoveries, and if no other slot is free */

struct child {
	const struct supervisor_job *job; /* NULL = free entry */
	bool is_recovery;                 /* of owner, by job->recover */
	bool is_fresh;                    /* of a new generation that has not lived for 3 s */
	bool is_retiring;                 /* not started again */
	unsigned slot; /* of the metrics, while it runs; each child has its own */
	pid_t pid;     /* 0 = not running */
	int64_t started_ms;
	int64_t start_at_ms; /* earliest start while not running; -1 = never */
	int64_t delay_ms;    /* before the next start if it dies now */
	char owner[CHILD_OWNER_MAX];
};

/* For a role or the embedded Redis; it may start at once. */
void child_init(struct child *c, const struct supervisor_job *job);
/* A recovery of the work of a dead owner, by job->recover. */
void child_init_recovery(struct child *c, const struct supervisor_job *job, const char *owner);
const char *child_role(const struct child *c);
bool child_is_backend(const struct child *c);
bool child_is_worker(const struct child *c); /* neither backend nor recovery */
bool child_is_recovery(const struct child *c);

/* Forks and runs the job in the child. The caller has blocked all signals; the child gets the
 * signal mask that a role expects. A failed fork counts as a death. */
void child_start(struct child *c, const struct supervisor_plan *plan);

/* After a death: logs it and plans the next start. status: of waitpid(2). */
void child_died(struct child *c, int status, bool is_stopping);

#endif
