/* One child of the supervisor: its fork, its death, its back-off. */
#include "server/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 10000
#define ALIVE_MS 30000 /* a child that lived this long restarts with DELAY_FIRST_MS */
#define HOST_MAX 63
#define OWNER_RANDOM 12

/* Makes an owner, <hostname>.<random>. It is a part of Redis keys and of a file name. */
static void make_owner(char out[CHILD_OWNER_MAX])
{
	char host[HOST_MAX + 1] = "";
	char random[OWNER_RANDOM + 1];

	if (gethostname(host, HOST_MAX) < 0 || !host[0])
		snprintf(host, sizeof(host), "localhost");
	for (char *p = host; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *p))
			*p = '-';
	id_random(random, OWNER_RANDOM);
	snprintf(out, CHILD_OWNER_MAX, "%s.%s", host, random);
}

void child_init(struct child *c, const struct supervisor_job *job)
{
	*c = (struct child){.job = job, .delay_ms = DELAY_FIRST_MS};
}

void child_init_recovery(struct child *c, const struct supervisor_job *job, const char *owner)
{
	*c = (struct child){.job = job, .is_recovery = true, .delay_ms = DELAY_FIRST_MS};
	snprintf(c->owner, sizeof(c->owner), "%s", owner);
}

const char *child_role(const struct child *c)
{
	return c->is_recovery ? "recover" : c->job->role;
}

bool child_is_backend(const struct child *c)
{
	return c->job->is_backend;
}

bool child_is_worker(const struct child *c)
{
	return !c->job->is_backend && !c->is_recovery;
}

bool child_is_recovery(const struct child *c)
{
	return c->is_recovery;
}

/* Ctrl-C reaches the whole foreground group, but children must wait for SIGTERM of the supervisor.
 * So SIGINT and SIGHUP stay blocked, whatever handler a role installs. */
static void set_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void close_unused_fds(const struct child *c, const struct supervisor_plan *plan)
{
	bool listens = c->job->listens && !c->is_recovery;

	if (plan->lock_fd >= 0 && c->job->is_backend) /* the lock lives as long as Redis does */
		fcntl(plan->lock_fd, F_SETFD, 0);
	else if (plan->lock_fd >= 0)
		close(plan->lock_fd);
	for (size_t i = 0; !listens && i < plan->n_listen_fds; i++)
		close(plan->listen_fds[i]);
}

static _Noreturn void run_child(const struct child *c, const struct supervisor_plan *plan,
				pid_t parent)
{
	const struct config *config = c->job->config ? c->job->config : plan->config;
	struct role_context ctx = {.config = config, .owner = c->owner};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	if (c->job->is_backend)
		setpgid(0, 0);
	close_unused_fds(c, plan);
	if (c->job->listens && !c->is_recovery) {
		ctx.listen_fds = plan->listen_fds;
		ctx.n_listen_fds = plan->n_listen_fds;
		ctx.n_metrics_fds = plan->n_metrics_fds;
	}
	metrics_use_slot(c->slot);
	log_init((enum log_level)config->log_level, (enum log_format)config->log_format,
		 child_role(c));
	set_signals();
	exit(c->is_recovery ? c->job->recover(&ctx) : c->job->run(&ctx));
}

static void plan_restart(struct child *c)
{
	int64_t now = clock_mono_ms();

	if (c->started_ms && now - c->started_ms >= ALIVE_MS)
		c->delay_ms = DELAY_FIRST_MS;
	c->start_at_ms = now + c->delay_ms;
	c->delay_ms = c->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : c->delay_ms * 2;
}

void child_start(struct child *c, const struct supervisor_plan *plan)
{
	pid_t parent = getpid(), pid;

	if (!c->is_recovery)
		make_owner(c->owner);
	fflush(NULL); /* else the child prints our buffered output again */
	pid = fork();
	if (pid == 0)
		run_child(c, plan, parent);
	if (pid < 0) {
		LOG(LOG_ERROR, "child.fork_failed", LOG_S("child", child_role(c)),
		    LOG_S("reason", strerror(errno)));
		plan_restart(c);
		return;
	}
	if (c->started_ms && !c->is_recovery)
		metric_add(METRIC_CHILD_RESTARTS, 1);
	c->pid = pid;
	c->started_ms = clock_mono_ms();
	LOG(LOG_INFO, "child.started", LOG_S("child", child_role(c)), LOG_N("child_pid", pid),
	    LOG_S("owner", c->job->recover ? c->owner : ""));
}

void child_died(struct child *c, int status, bool is_stopping)
{
	bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool is_done = is_clean && (c->is_recovery || c->job->is_once);
	enum log_level level = is_clean && (is_stopping || is_done) ? LOG_INFO : LOG_WARN;

	plan_restart(c);
	if (is_done)
		c->start_at_ms = -1;
	LOG(level, is_clean ? "child.ended" : "child.died", LOG_S("child", child_role(c)),
	    LOG_N("child_pid", c->pid), LOG_N("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    LOG_N("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	c->pid = 0;
}
