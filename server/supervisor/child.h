#ifndef SERVER_SUPERVISOR_CHILD_H
#define SERVER_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/base/metrics.h"
#include "server/supervisor/supervisor.h"

/* One child of the supervisor, through all its incarnations: when it is to start, and how long to
 * wait after a death. */

#define CHILD_OWNER_MAX 96
#define CHILD_SHARED_SLOT (METRIC_SLOTS - 1) /* of recoveries and whoever is too many */

struct child {
	const struct supervisor_job *job; /* NULL = free entry */
	bool is_recovery;                 /* of owner, by job->recover */
	bool is_fresh;                    /* of a generation on trial */
	bool is_retiring;                 /* not started again */
	unsigned slot; /* of metrics, while it runs: its own, so that generations do not mix */
	pid_t pid;     /* 0 = not running */
	int64_t started_ms;
	int64_t start_at_ms; /* when not running: from when on it may start; -1 = never again */
	int64_t delay_ms;    /* before the next start, should it die now */
	char owner[CHILD_OWNER_MAX];
};

void child_init(struct child *c, const struct supervisor_job *job);
/* The recovery of what a dead owner left, by job->recover. */
void child_init_recovery(struct child *c, const struct supervisor_job *job, const char *owner);
const char *child_role(const struct child *c);

/* Forks. All signals are blocked in the caller; the child has them as a role expects. Failing to
 * fork counts as a death. */
void child_start(struct child *c, const struct supervisor_plan *plan);

/* Took in that it is dead: logs it and plans the next start. status as from waitpid. */
void child_died(struct child *c, int status, bool is_stopping);

#endif
