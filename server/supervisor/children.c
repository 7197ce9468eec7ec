/* The table of the supervisor's children. */
#include "server/supervisor/children.h"

#include <signal.h>

struct child *children_free_entry(struct children *all)
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		if (!all->at[i].job)
			return &all->at[i];
	return NULL;
}

void children_add(struct children *all, const struct supervisor_job *jobs, size_t n, bool is_fresh)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < jobs[i].count; k++) {
			struct child *c = children_free_entry(all);

			if (!c)
				return;
			child_init(c, &jobs[i]);
			c->is_fresh = is_fresh;
		}
}

unsigned children_free_slot(const struct children *all)
{
	bool is_used[METRIC_SLOTS] = {false};
	unsigned slot = 1; /* 0 is the supervisor's */

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		if (all->at[i].job)
			is_used[all->at[i].slot] = true;
	while (slot < CHILD_SHARED_SLOT && is_used[slot])
		slot++;
	return slot;
}

unsigned children_running(const struct children *all, child_is_fn *is_meant)
{
	unsigned n = 0;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		const struct child *c = &all->at[i];

		n += c->job && c->pid && is_meant(c);
	}
	return n;
}

void children_signal(struct children *all, int sig, child_is_fn *is_meant)
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		const struct child *c = &all->at[i];

		if (c->job && c->pid && is_meant(c))
			kill(c->pid, sig);
	}
}
