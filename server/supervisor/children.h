#ifndef SERVER_SUPERVISOR_CHILDREN_H
#define SERVER_SUPERVISOR_CHILDREN_H

#include "server/supervisor/child.h"

/* All children of the supervisor, in one table; an entry without a job is free. */

struct children {
	struct child at[SUPERVISOR_CHILDREN_MAX];
};

typedef bool child_is_fn(const struct child *c);

bool child_is_floor(const struct child *c);
bool child_is_worker(const struct child *c);
bool child_is_recovery(const struct child *c);

/* NULL: all are taken. */
struct child *children_free_entry(struct children *all);
/* One for each of a job's count, as far as there is room. is_fresh: of a generation on trial. */
void children_add(struct children *all, const struct supervisor_job *jobs, size_t n, bool is_fresh);
/* Of metrics; CHILD_SHARED_SLOT when all are taken. */
unsigned children_free_slot(const struct children *all);
/* Those that run. */
unsigned children_running(const struct children *all, child_is_fn *is_meant);
void children_signal(struct children *all, int sig, child_is_fn *is_meant);

#endif
