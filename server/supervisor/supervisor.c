/* Keeps the children of one Postern running, and ends them in order. */
#include "server/supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/supervisor/children.h"
#include "server/supervisor/reload.h"

#define BACKEND_UP_MS 30000
#define BACKEND_POLL_MS 20
#define BACKEND_END_MS 10000
#define KILL_AFTER_DRAIN_MS 5000
#define RECOVER_MS 5000
#define HURRY_MS 2000
#define SAME_SIGNAL_MS 200 /* a terminal and a wrapper may both send the same Ctrl-C */
#define RECOVERIES_AT_ONCE 4
#define IDLE_MS 60000

enum stage {
	STAGE_BACKEND_UP, /* the backend starts, the others wait for it */
	STAGE_RUN,
	STAGE_DRAIN,       /* workers finish the work in hand */
	STAGE_RECOVER,     /* all workers have ended; recoveries may finish */
	STAGE_BACKEND_END, /* only the backend is left */
	STAGE_OVER,
};

struct supervisor {
	const struct supervisor_plan *plan;
	struct children all;
	enum stage stage;
	int64_t deadline_ms; /* of the stage; 0 = none */
	int64_t signal_ms;   /* time of the last SIGTERM or SIGINT */
	bool ignores_hangup; /* nohup */
	struct reload reload;
	int status;
};

static const char *stage_name(enum stage stage)
{
	static const char *const names[] = {
		"starting", "running", "draining", "recovering", "ending the backend", "over"};

	return names[stage];
}

static void enter(struct supervisor *s, enum stage stage, int64_t ms)
{
	s->stage = stage;
	s->deadline_ms = ms ? clock_mono_ms() + ms : 0;
	LOG(LOG_INFO, "supervisor.stage", LOG_S("stage", stage_name(stage)));
}

/* ---- starting ---- */

static bool may_start(const struct supervisor *s, const struct child *c)
{
	if (c->is_retiring)
		return false;
	switch (s->stage) {
	case STAGE_BACKEND_UP: /* once only: a backend that dies at its start will die again */
		return child_is_backend(c) && !c->started_ms;
	case STAGE_RUN:
		break;
	case STAGE_DRAIN: /* relays that drain need the backend to settle */
	case STAGE_RECOVER:
		if (!child_is_backend(c) && !c->is_recovery)
			return false;
		break;
	case STAGE_BACKEND_END:
	case STAGE_OVER:
	default:
		return false;
	}
	return !c->is_recovery || children_running(&s->all, child_is_recovery) < RECOVERIES_AT_ONCE;
}

static void start_child(struct supervisor *s, struct child *c)
{
	c->slot = c->is_recovery ? CHILD_SHARED_SLOT : children_free_slot(&s->all);
	child_start(c, s->plan);
}

/* Starts the children that are due; returns the time until the next one is. */
static int64_t start_due(struct supervisor *s)
{
	int64_t now = clock_mono_ms(), wait = IDLE_MS;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->all.at[i];

		if (!c->job || c->pid || c->start_at_ms < 0 || !may_start(s, c))
			continue;
		if (c->start_at_ms <= now)
			start_child(s, c);
		else if (c->start_at_ms - now < wait)
			wait = c->start_at_ms - now;
	}
	return wait;
}

static bool is_backend_up(const struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++) {
		const struct supervisor_job *job = &s->plan->jobs[i];

		if (job->is_backend && job->is_up && !job->is_up(s->plan->config))
			return false;
	}
	return true;
}

/* ---- deaths ---- */

static void begin_drain(struct supervisor *s)
{
	enter(s, STAGE_DRAIN, s->plan->config->drain_s * 1000 + KILL_AFTER_DRAIN_MS);
	children_signal(&s->all, SIGTERM, child_is_worker);
}

static void end_as_failed(struct supervisor *s)
{
	if (s->stage > STAGE_RUN)
		return;
	s->status = 1;
	begin_drain(s);
}

static void backend_failed(struct supervisor *s, const struct supervisor_job *job)
{
	LOG(LOG_ERROR, "backend.not_up", LOG_S("child", job->role), LOG_S("hint", job->hint));
	end_as_failed(s);
}

/* Plans a recovery, also after a clean end: the child may leave a journal and leases, which last
 * for minutes. */
static void add_recovery(struct supervisor *s, const struct supervisor_job *job, const char *owner)
{
	struct child *c = children_free_entry(&s->all);

	if (c)
		child_init_recovery(c, job, owner);
	else
		LOG(LOG_ERROR, "recovery.skipped", LOG_S("owner", owner));
}

static void handle_death(struct supervisor *s, struct child *c, int status)
{
	bool is_stopping = s->stage > STAGE_RUN;

	child_died(c, status, is_stopping || c->is_retiring);
	metrics_clear_gauges(c->slot);
	c->slot = 0;
	if (c->job->recover && !c->is_recovery)
		add_recovery(s, c->job, c->owner);
	s->reload.has_failed = s->reload.has_failed || c->is_fresh;
	if ((c->is_retiring && !s->reload.settled_ms) || (c->is_recovery && c->start_at_ms < 0))
		*c = (struct child){0};
	else if (child_is_backend(c) && s->stage == STAGE_BACKEND_UP)
		backend_failed(s, c->job);
	if (!c->job || !c->job->is_once || c->start_at_ms < 0)
		return;
	c->start_at_ms = -1;
	end_as_failed(s);
}

/* As PID 1 we also get children that we did not start; waitpid() is all they need. */
static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
			if (s->all.at[i].job && s->all.at[i].pid == pid) {
				handle_death(s, &s->all.at[i], status);
				break;
			}
}

/* ---- the end ---- */

static void handle_end_signal(struct supervisor *s)
{
	int64_t now = clock_mono_ms();

	if (s->signal_ms && now - s->signal_ms < SAME_SIGNAL_MS)
		return;
	if (s->signal_ms) {
		LOG(LOG_WARN, "supervisor.hurry", LOG_N("within_ms", HURRY_MS));
		if (s->deadline_ms > now + HURRY_MS)
			s->deadline_ms = now + HURRY_MS;
	}
	s->signal_ms = now;
	if (s->stage <= STAGE_RUN)
		begin_drain(s);
	else if (s->stage == STAGE_DRAIN)
		children_signal(&s->all, SIGTERM, child_is_worker);
}

static unsigned count_recoveries(const struct supervisor *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		n += s->all.at[i].job && s->all.at[i].is_recovery;
	return n;
}

static void end_backend(struct supervisor *s)
{
	enter(s, STAGE_BACKEND_END, BACKEND_END_MS);
	children_signal(&s->all, SIGTERM, child_is_backend);
}

static void drop_recoveries(struct supervisor *s)
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->all.at[i];

		if (!c->job || !c->is_recovery)
			continue;
		LOG(LOG_WARN, "recovery.left_to_next_start", LOG_S("owner", c->owner));
		if (c->pid)
			kill(c->pid, SIGKILL);
		*c = (struct child){0};
	}
}

static void backend_late(struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++)
		if (s->plan->jobs[i].is_backend)
			backend_failed(s, &s->plan->jobs[i]);
}

static void handle_deadline(struct supervisor *s)
{
	s->deadline_ms = 0;
	switch (s->stage) {
	case STAGE_BACKEND_UP:
		backend_late(s);
		return;
	case STAGE_DRAIN:
		children_signal(&s->all, SIGKILL, child_is_worker);
		return;
	case STAGE_RECOVER:
		drop_recoveries(s);
		return;
	case STAGE_BACKEND_END:
		children_signal(&s->all, SIGKILL, child_is_backend);
		return;
	case STAGE_RUN:
	case STAGE_OVER:
	default:
		return;
	}
}

/* Enters the next stage when this one is complete. */
static void advance(struct supervisor *s)
{
	if (s->stage == STAGE_BACKEND_UP && is_backend_up(s))
		enter(s, STAGE_RUN, 0);
	if (s->deadline_ms && clock_mono_ms() >= s->deadline_ms)
		handle_deadline(s);
	if (s->stage == STAGE_DRAIN && !children_running(&s->all, child_is_worker))
		enter(s, STAGE_RECOVER, RECOVER_MS);
	if (s->stage == STAGE_RECOVER && !count_recoveries(s))
		end_backend(s);
	if (s->stage == STAGE_BACKEND_END && !children_running(&s->all, child_is_backend))
		enter(s, STAGE_OVER, 0);
}

/* ---- signals ---- */

static void take_signals(struct supervisor *s, sigset_t *set)
{
	static const int ours[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	struct sigaction was;

	s->ignores_hangup = sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		signal(ours[i], SIG_DFL);
		sigaddset(set, ours[i]);
	}
	sigprocmask(SIG_BLOCK, set, NULL);
}

static void handle_hangup(struct supervisor *s)
{
	if (s->plan->hangup_ends && !s->ignores_hangup)
		handle_end_signal(s);
	else if (s->plan->reload)
		s->reload.is_wanted = true;
}

static void wait_signal(struct supervisor *s, const sigset_t *set, int64_t ms)
{
	struct timespec ts;
	int sig;

	if (s->stage == STAGE_BACKEND_UP && ms > BACKEND_POLL_MS)
		ms = BACKEND_POLL_MS;
	if (s->reload.settled_ms && s->reload.settled_ms - clock_mono_ms() < ms)
		ms = s->reload.settled_ms - clock_mono_ms();
	if (s->deadline_ms && s->deadline_ms - clock_mono_ms() < ms)
		ms = s->deadline_ms - clock_mono_ms();
	if (ms < 0)
		ms = 0;
	ts = (struct timespec){.tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000) * 1000000};
	sig = sigtimedwait(set, NULL, &ts);
	if (sig == SIGTERM || sig == SIGINT)
		handle_end_signal(s);
	else if (sig == SIGHUP)
		handle_hangup(s);
}

static void recover_dead_owners(struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++)
		for (size_t k = 0; s->plan->jobs[i].recover && k < s->plan->n_dead_owners; k++)
			add_recovery(s, &s->plan->jobs[i], s->plan->dead_owners[k]);
}

int supervisor_run(const struct supervisor_plan *plan)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	sigset_t set, before;
	int status;

	if (!s)
		return 1;
	s->plan = plan;
	sigprocmask(SIG_SETMASK, NULL, &before);
	take_signals(s, &set);
	children_add(&s->all, plan->jobs, plan->n_jobs, false);
	recover_dead_owners(s);
	enter(s, STAGE_BACKEND_UP, BACKEND_UP_MS);
	while (s->stage != STAGE_OVER) {
		int64_t wait = start_due(s);

		wait_signal(s, &set, wait);
		reap(s);
		advance(s);
		if (s->stage == STAGE_RUN)
			reload_step(&s->reload, plan, &s->all);
	}
	status = s->status;
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(s);
	return status;
}
