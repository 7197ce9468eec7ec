/* Keeps the children of one postern running, and ends them in order. */
#include "server/cli/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/cli/child.h"

#define FLOOR_UP_MS 30000
#define FLOOR_POLL_MS 20
#define FLOOR_END_MS 10000
#define KILL_AFTER_DRAIN_MS 5000
#define RECOVER_MS 5000
#define HURRY_MS 2000
#define SAME_SIGNAL_MS 200 /* a terminal and a wrapper may both pass on one Ctrl-C */
#define RECOVERIES_AT_ONCE 4
#define IDLE_MS 60000
#define SETTLE_MS 3000 /* of a new generation: an API waits up to 2 s for the store */

enum stage {
	STAGE_FLOOR_UP, /* the floor starts, the others wait for it */
	STAGE_RUN,
	STAGE_DRAIN,     /* told to end; may finish what they hold */
	STAGE_RECOVER,   /* all workers are gone; recoveries have a moment */
	STAGE_FLOOR_END, /* nobody stands on the floor any more */
	STAGE_OVER,
};

struct supervisor {
	const struct supervisor_plan *plan;
	struct child children[SUPERVISOR_CHILDREN_MAX];
	enum stage stage;
	int64_t deadline_ms; /* of the stage; 0 = none */
	int64_t told_ms;     /* when the first SIGTERM or SIGINT came */
	bool ignores_hangup; /* nohup */
	bool wants_reload;
	unsigned generation;
	int64_t settled_ms; /* when the generation on trial has lived long enough; 0 = none is */
	bool has_failed;    /* one of it died */
	int status;
};

static const char *stage_name(enum stage stage)
{
	static const char *const names[] = {"starting", "running",          "draining",
					    "killed",   "ending the floor", "over"};

	return names[stage];
}

static void enter(struct supervisor *s, enum stage stage, int64_t ms)
{
	s->stage = stage;
	s->deadline_ms = ms ? clock_mono_ms() + ms : 0;
	LOG(LOG_INFO, "supervisor.stage", LOG_S("stage", stage_name(stage)));
}

static bool is_floor(const struct child *c)
{
	return c->job->is_floor;
}

static bool is_worker(const struct child *c)
{
	return !c->job->is_floor && !c->is_recovery;
}

static bool is_recovery(const struct child *c)
{
	return c->is_recovery;
}

static unsigned count_running(const struct supervisor *s, bool (*is_meant)(const struct child *))
{
	unsigned n = 0;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		const struct child *c = &s->children[i];

		n += c->job && c->pid && is_meant(c);
	}
	return n;
}

static void signal_children(struct supervisor *s, int sig, bool (*is_meant)(const struct child *))
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		const struct child *c = &s->children[i];

		if (c->job && c->pid && is_meant(c))
			kill(c->pid, sig);
	}
}

/* ---- starting ---- */

static struct child *free_entry(struct supervisor *s)
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		if (!s->children[i].job)
			return &s->children[i];
	return NULL;
}

static bool may_start(const struct supervisor *s, const struct child *c)
{
	if (c->is_retiring)
		return false;
	switch (s->stage) {
	case STAGE_FLOOR_UP: /* once only: a floor that dies at once will not get better */
		return is_floor(c) && !c->started_ms;
	case STAGE_RUN:
		break;
	case STAGE_DRAIN: /* relays that drain need the floor to settle on */
	case STAGE_RECOVER:
		if (!is_floor(c) && !c->is_recovery)
			return false;
		break;
	case STAGE_FLOOR_END:
	case STAGE_OVER:
	default:
		return false;
	}
	return !c->is_recovery || count_running(s, is_recovery) < RECOVERIES_AT_ONCE;
}

/* Starts whose time has come; gives the time until the next may start. */
static int64_t start_due(struct supervisor *s)
{
	int64_t now = clock_mono_ms(), wait = IDLE_MS;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->children[i];

		if (!c->job || c->pid || c->start_at_ms < 0 || !may_start(s, c))
			continue;
		if (c->start_at_ms <= now)
			child_start(c, s->plan);
		else if (c->start_at_ms - now < wait)
			wait = c->start_at_ms - now;
	}
	return wait;
}

static bool is_floor_up(const struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++) {
		const struct supervisor_job *job = &s->plan->jobs[i];

		if (job->is_floor && job->is_up && !job->is_up(s->plan->config))
			return false;
	}
	return true;
}

/* ---- deaths ---- */

static void fail(struct supervisor *s)
{
	if (s->stage > STAGE_RUN)
		return;
	s->status = 1;
	enter(s, STAGE_DRAIN, s->plan->config->drain_s * 1000 + KILL_AFTER_DRAIN_MS);
	signal_children(s, SIGTERM, is_worker);
}

static void floor_failed(struct supervisor *s, const struct supervisor_job *job)
{
	LOG(LOG_ERROR, "floor.not_up", LOG_S("child", job->role), LOG_S("hint", job->hint));
	fail(s);
}

/* Also after a clean end: what is left of its journal and its leases must not wait for time. */
static void recover(struct supervisor *s, const struct supervisor_job *job, const char *owner)
{
	struct child *c = free_entry(s);

	if (c)
		child_init_recovery(c, job, owner);
	else
		LOG(LOG_ERROR, "recovery.left_to_time", LOG_S("owner", owner));
}

static void bury(struct supervisor *s, struct child *c, int status)
{
	bool is_stopping = s->stage > STAGE_RUN;

	child_died(c, status, is_stopping);
	if (c->job->recover && !c->is_recovery)
		recover(s, c->job, c->owner);
	s->has_failed = s->has_failed || c->is_fresh;
	if ((c->is_retiring && !s->settled_ms) || (c->is_recovery && c->start_at_ms < 0))
		*c = (struct child){0};
	else if (is_floor(c) && s->stage == STAGE_FLOOR_UP)
		floor_failed(s, c->job);
	if (!c->job || !c->job->is_once || c->start_at_ms < 0)
		return;
	c->start_at_ms = -1;
	fail(s);
}

/* As PID 1 also those that are nobody's: they are just waited for. */
static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
			if (s->children[i].job && s->children[i].pid == pid) {
				bury(s, &s->children[i], status);
				break;
			}
}

/* ---- the end ---- */

static void told_to_end(struct supervisor *s)
{
	int64_t now = clock_mono_ms();

	if (s->told_ms && now - s->told_ms < SAME_SIGNAL_MS)
		return;
	if (s->told_ms) {
		LOG(LOG_WARN, "supervisor.hurry", LOG_N("within_ms", HURRY_MS));
		if (s->deadline_ms > now + HURRY_MS)
			s->deadline_ms = now + HURRY_MS;
	} else if (s->stage <= STAGE_RUN) {
		enter(s, STAGE_DRAIN, s->plan->config->drain_s * 1000 + KILL_AFTER_DRAIN_MS);
	}
	s->told_ms = now;
	if (s->stage == STAGE_DRAIN)
		signal_children(s, SIGTERM, is_worker);
}

static unsigned count_recoveries(const struct supervisor *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		n += s->children[i].job && s->children[i].is_recovery;
	return n;
}

static void end_floor(struct supervisor *s)
{
	enter(s, STAGE_FLOOR_END, FLOOR_END_MS);
	signal_children(s, SIGTERM, is_floor);
}

static void drop_recoveries(struct supervisor *s)
{
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->children[i];

		if (!c->job || !c->is_recovery)
			continue;
		LOG(LOG_WARN, "recovery.left_to_next_start", LOG_S("owner", c->owner));
		if (c->pid)
			kill(c->pid, SIGKILL);
		*c = (struct child){0};
	}
}

static void floor_late(struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++)
		if (s->plan->jobs[i].is_floor)
			floor_failed(s, &s->plan->jobs[i]);
}

static void deadline_passed(struct supervisor *s)
{
	s->deadline_ms = 0;
	switch (s->stage) {
	case STAGE_FLOOR_UP:
		floor_late(s);
		return;
	case STAGE_DRAIN:
		signal_children(s, SIGKILL, is_worker);
		return;
	case STAGE_RECOVER:
		drop_recoveries(s);
		return;
	case STAGE_FLOOR_END:
		signal_children(s, SIGKILL, is_floor);
		return;
	case STAGE_RUN:
	case STAGE_OVER:
	default:
		return;
	}
}

/* To the next stage, when this one has done its work. */
static void advance(struct supervisor *s)
{
	if (s->stage == STAGE_FLOOR_UP && is_floor_up(s))
		enter(s, STAGE_RUN, 0);
	if (s->deadline_ms && clock_mono_ms() >= s->deadline_ms)
		deadline_passed(s);
	if (s->stage == STAGE_DRAIN && !count_running(s, is_worker))
		enter(s, STAGE_RECOVER, RECOVER_MS);
	if (s->stage == STAGE_RECOVER && !count_recoveries(s))
		end_floor(s);
	if (s->stage == STAGE_FLOOR_END && !count_running(s, is_floor))
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

static void hangup(struct supervisor *s)
{
	if (s->plan->hangup_ends && !s->ignores_hangup)
		told_to_end(s);
	else if (s->plan->reload)
		s->wants_reload = true;
}

/* ---- another generation ---- */

static void add_jobs(struct supervisor *s, const struct supervisor_job *jobs, size_t n,
		     bool is_fresh)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < jobs[i].count; k++) {
			struct child *c = free_entry(s);

			if (!c)
				return;
			child_init(c, &jobs[i], k);
			c->is_fresh = is_fresh;
		}
}

static bool is_plain(const struct child *c)
{
	return c->job && is_worker(c) && !c->job->is_once;
}

static void begin_reload(struct supervisor *s)
{
	const struct supervisor_job *jobs;
	struct err e;
	size_t n;

	s->wants_reload = false;
	if (s->plan->reload(s->plan->reload_arg, &jobs, &n, &e) < 0) {
		metric_add(METRIC_RELOADS_FAILED, 1);
		LOG(LOG_ERROR, "reload.refused", LOG_S("reason", e.text),
		    LOG_S("hint", "everything goes on as it was"));
		return;
	}
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
		if (is_plain(&s->children[i]))
			s->children[i].is_retiring = true;
	add_jobs(s, jobs, n, true);
	s->has_failed = false;
	s->settled_ms = clock_mono_ms() + SETTLE_MS;
	s->generation++;
	LOG(LOG_INFO, "reload.started", LOG_N("generation", s->generation));
}

/* The old ones stay, the fresh ones go. */
static void undo_reload(struct supervisor *s)
{
	metric_add(METRIC_RELOADS_FAILED, 1);
	LOG(LOG_ERROR, "reload.undone", LOG_N("generation", s->generation),
	    LOG_S("hint", "a new process died at once: see its log lines; the old ones go on"));
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->children[i];

		if (!is_plain(c))
			continue;
		c->is_retiring = c->is_fresh;
		c->is_fresh = false;
		if (c->is_retiring && c->pid)
			kill(c->pid, SIGTERM);
		else if (c->is_retiring)
			*c = (struct child){0};
	}
}

static void finish_reload(struct supervisor *s)
{
	LOG(LOG_INFO, "reload.done", LOG_N("generation", s->generation));
	for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) {
		struct child *c = &s->children[i];

		if (!c->job)
			continue;
		c->is_fresh = false;
		if (c->is_retiring && c->pid)
			kill(c->pid, c->job->listens || c->job->recover ? SIGUSR1 : SIGTERM);
		else if (c->is_retiring)
			*c = (struct child){0};
	}
}

static void reload(struct supervisor *s)
{
	if (s->stage != STAGE_RUN)
		return;
	if (s->settled_ms && (s->has_failed || clock_mono_ms() >= s->settled_ms)) {
		s->settled_ms = 0;
		if (s->has_failed)
			undo_reload(s);
		else
			finish_reload(s);
	}
	if (s->wants_reload && !s->settled_ms)
		begin_reload(s);
}

static void wait_signal(struct supervisor *s, const sigset_t *set, int64_t ms)
{
	struct timespec ts;
	int sig;

	if (s->stage == STAGE_FLOOR_UP && ms > FLOOR_POLL_MS)
		ms = FLOOR_POLL_MS;
	if (s->settled_ms && s->settled_ms - clock_mono_ms() < ms)
		ms = s->settled_ms - clock_mono_ms();
	if (s->deadline_ms && s->deadline_ms - clock_mono_ms() < ms)
		ms = s->deadline_ms - clock_mono_ms();
	if (ms < 0)
		ms = 0;
	ts = (struct timespec){.tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000) * 1000000};
	sig = sigtimedwait(set, NULL, &ts);
	if (sig == SIGTERM || sig == SIGINT)
		told_to_end(s);
	else if (sig == SIGHUP)
		hangup(s);
}

static void recover_earlier(struct supervisor *s)
{
	for (size_t i = 0; i < s->plan->n_jobs; i++)
		for (size_t k = 0; s->plan->jobs[i].recover && k < s->plan->n_dead_owners; k++)
			recover(s, &s->plan->jobs[i], s->plan->dead_owners[k]);
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
	add_jobs(s, plan->jobs, plan->n_jobs, false);
	recover_earlier(s);
	enter(s, STAGE_FLOOR_UP, FLOOR_UP_MS);
	while (s->stage != STAGE_OVER) {
		int64_t wait = start_due(s);

		wait_signal(s, &set, wait);
		reap(s);
		advance(s);
		reload(s);
	}
	status = s->status;
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(s);
	return status;
}
