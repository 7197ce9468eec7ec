#ifndef SERVER_SUPERVISOR_CHILDREN_H
#define SERVER_SUPERVISOR_CHILDREN_H

#include "server/supervisor/child.h"

/* The table of the supervisor's children. An entry without a job is free. */

struct children {
	struct child at[SUPERVISOR_CHILDREN_MAX];
};

typedef bool child_is_fn(const struct child *c);

/* NULL: no entry is free. */
struct child *children_free_entry(struct children *all);
/* Adds job->count children for each job; those beyond the size of the table are left out. */
void children_add(struct children *all, const struct supervisor_job *jobs, size_t n, bool is_fresh);
/* A free slot of the metrics; CHILD_SHARED_SLOT when there is none. */
unsigned children_free_slot(const struct children *all);
/* Counts the running children for which is_meant is true (NULL: all). */
unsigned children_running(const struct children *all, child_is_fn *is_meant);
/* Sends sig to the running children for which is_meant is true (NULL: all). */
void children_signal(struct children *all, int sig, child_is_fn *is_meant);

#endif
