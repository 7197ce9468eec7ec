/* Replaces the workers by a new generation. */
#include "server/supervisor/reload.h"

#include <signal.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define SETTLE_MS 3000 /* an API process waits up to 2 s for Redis */

static bool is_replaceable(const struct child *c)
{
	return c->job && child_is_worker(c) && !c->job->is_once;
}

static void begin_reload(struct reload *r, const struct supervisor_plan *plan, struct children *all)
{
	const struct supervisor_job *jobs;
	struct err e;
	size_t n;

	r->is_wanted = false;
	if (plan->reload(plan->reload_arg, &jobs, &n, &e) < 0) {
		metric_add(METRIC_RELOADS_FAILED, 1);
		LOG(LOG_ERROR, "reload.refused", LOG_S("reason", e.text),
		    LOG_S("hint", "nothing was changed"));
		return;
	}
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		if (is_replaceable(&all->at[i]))
			all->at[i].is_retiring = true;
	children_add(all, jobs, n, true);
	r->has_failed = false;
	r->settled_ms = clock_mono_ms() + SETTLE_MS;
	r->number++;
	LOG(LOG_INFO, "reload.started", LOG_N("generation", r->number));
}

/* The old workers stay, the new ones are stopped. */
static void undo_reload(const struct reload *r, struct children *all)
{
	metric_add(METRIC_RELOADS_FAILED, 1);
	LOG(LOG_ERROR, "reload.undone", LOG_N("generation", r->number),
	    LOG_S("hint",
		  "a new process ended right after its start: see its log lines; the old processes "
		  "continue"));
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &all->at[i];

		if (!is_replaceable(c))
			continue;
		c->is_retiring = c->is_fresh;
		c->is_fresh = false;
		if (c->is_retiring && c->pid)
			kill(c->pid, SIGTERM);
		else if (c->is_retiring)
			*c = (struct child){0};
	}
}

static void finish_reload(const struct reload *r, struct children *all)
{
	LOG(LOG_INFO, "reload.done", LOG_N("generation", r->number));
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &all->at[i];

		if (!c->job)
			continue;
		c->is_fresh = false;
		if (c->is_retiring && c->pid)
			kill(c->pid, c->job->listens || c->job->recover ? SIGUSR1 : SIGTERM);
		else if (c->is_retiring)
			*c = (struct child){0};
	}
}

void reload_step(struct reload *r, const struct supervisor_plan *plan, struct children *all)
{
	if (r->settled_ms && (r->has_failed || clock_mono_ms() >= r->settled_ms)) {
		r->settled_ms = 0;
		if (r->has_failed)
			undo_reload(r, all);
		else
			finish_reload(r, all);
	}
	if (r->is_wanted && !r->settled_ms)
		begin_reload(r, plan, all);
}
