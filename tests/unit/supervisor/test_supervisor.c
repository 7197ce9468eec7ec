/* The supervisor with roles made for the test: starts, restarts, the order of the end. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/supervisor/supervisor.h"
#include "tests/unit/unit.h"

/* What the roles did, one line each, read by the test from a pipe. */
static int report_fd = -1;

static void report(const char *what, const char *owner)
{
	char line[160];
	int len = snprintf(line, sizeof(line), "%s %ld %s\n", what, (long)getpid(),
			   owner && *owner ? owner : "-");

	if (write(report_fd, line, (size_t)len) != len)
		_exit(9);
}

static volatile sig_atomic_t is_told;

static void told(int sig)
{
	(void)sig;
	is_told++;
}

static void nap(int64_t ms)
{
	const struct timespec t = {.tv_sec = (time_t)(ms / 1000),
				   .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* Waits for SIGTERM, then drains for ms; a second SIGTERM ends that. */
static int serve_until_told(const char *name, const struct role_context *ctx, int64_t ms)
{
	struct sigaction on_term = {.sa_handler = told};
	char line[32];

	sigaction(SIGTERM, &on_term, NULL);
	snprintf(line, sizeof(line), "%s-up", name);
	report(line, ctx->owner);
	while (!is_told)
		nap(20);
	snprintf(line, sizeof(line), "%s-told", name);
	report(line, ctx->owner);
	for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until && is_told < 2;)
		nap(20);
	snprintf(line, sizeof(line), "%s-end", name);
	report(line, ctx->owner);
	return 0;
}

static int fake_api(const struct role_context *ctx)
{
	return serve_until_told("api", ctx, 0);
}

static int fake_relay(const struct role_context *ctx)
{
	return serve_until_told("relay", ctx, 300);
}

static int fake_eager(const struct role_context *ctx)
{
	struct sigaction on_int = {.sa_handler = told};

	sigaction(SIGINT, &on_int, NULL);
	return serve_until_told("relay", ctx, 300);
}

static int fake_slow(const struct role_context *ctx)
{
	return serve_until_told("slow", ctx, 20000);
}

static int fake_deaf(const struct role_context *ctx)
{
	signal(SIGTERM, SIG_IGN);
	report("deaf-up", ctx->owner);
	while (getpid())
		pause();
	return 0;
}

static int fake_recover(const struct role_context *ctx)
{
	report("recover", ctx->owner);
	return 0;
}

static int fake_recover_twice(const struct role_context *ctx)
{
	bool is_second = metric_sum(METRIC_REPLAYED) > 0;

	metric_add(METRIC_REPLAYED, 1);
	report(is_second ? "recover-ok" : "recover-failed", ctx->owner);
	return is_second ? 0 : 1;
}

static int fake_recover_in_vain(const struct role_context *ctx)
{
	report("recover-waits", ctx->owner);
	while (getpid())
		pause();
	return 0;
}

static int fake_crash(const struct role_context *ctx)
{
	report("crash", ctx->owner);
	return 1;
}

static int fake_backend(const struct role_context *ctx)
{
	report(getpgrp() == getpid() ? "backend-own-group" : "backend-shared-group", ctx->owner);
	nap(100);
	metric_add(METRIC_ACCEPTED, 1); /* = up, for the others to see */
	return serve_until_told("backend", ctx, 0);
}

static bool is_backend_up(const struct config *config)
{
	(void)config;
	return metric_sum(METRIC_ACCEPTED) > 0;
}

static bool is_never_up(const struct config *config)
{
	(void)config;
	return false;
}

static int fake_once_good(const struct role_context *ctx)
{
	report("once", ctx->owner);
	return 0;
}

static int fake_once_bad(const struct role_context *ctx)
{
	report("once", ctx->owner);
	return 1;
}

static int fake_listener(const struct role_context *ctx)
{
	char line[48];

	snprintf(line, sizeof(line), "listens-%zu", ctx->n_listen_fds);
	report(line, ctx->owner);
	return serve_until_told("listener", ctx, 0);
}

static int fake_not_listening(const struct role_context *ctx)
{
	report(fcntl(200, F_GETFD) < 0 ? "socket-closed" : "socket-open", ctx->owner);
	return serve_until_told("other", ctx, 0);
}

/* ---- the app under test: a process of its own ---- */

#define LINES_MAX 64

struct app {
	struct config config;
	struct supervisor_plan plan;
	bool is_subreaper;
	pid_t pid;
	int fd;
	char text[16384];
	size_t len;
};

static struct app app;

static void open_app_draining(const struct supervisor_job *jobs, size_t n, int64_t drain_s)
{
	int fds[2];

	app.config = (struct config){.drain_s = drain_s, .log_level = LOG_ERROR};
	app.plan.config = &app.config;
	app.plan.jobs = jobs;
	app.plan.n_jobs = n;
	if (!app.plan.listen_fds)
		app.plan.lock_fd = -1;
	assert_int_equal(pipe(fds), 0);
	app.fd = fds[0];
	app.len = 0;
	app.text[0] = 0;
	app.pid = fork();
	if (app.pid == 0) {
		close(fds[0]);
		if (app.is_subreaper)
			prctl(PR_SET_CHILD_SUBREAPER, 1);
		report_fd = fds[1];
		log_init(LOG_ERROR, LOG_FORMAT_TEXT, "test");
		if (metrics_init() < 0)
			_exit(8);
		_exit(supervisor_run(&app.plan));
	}
	close(fds[1]);
	assert_true(app.pid > 0);
}

static void open_app(const struct supervisor_job *jobs, size_t n)
{
	open_app_draining(jobs, n, 1);
}

/* Reads reports until one starts with text, or ms have passed. */
static bool sees(const char *text, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	for (;;) {
		struct pollfd p = {.fd = app.fd, .events = POLLIN};
		int64_t left = until - clock_mono_ms();
		ssize_t n;

		if (strstr(app.text, text))
			return true;
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		n = read(app.fd, app.text + app.len, sizeof(app.text) - app.len - 1);
		if (n <= 0)
			return false;
		app.len += (size_t)n;
		app.text[app.len] = 0;
	}
}

static unsigned count(const char *text)
{
	unsigned n = 0;

	for (const char *p = strstr(app.text, text); p; p = strstr(p + 1, text))
		n++;
	return n;
}

/* The pid in the last line that starts with what. */
static pid_t pid_of(const char *what)
{
	const char *at = NULL;

	for (const char *p = strstr(app.text, what); p; p = strstr(p + 1, what))
		at = p;
	assert_non_null(at);
	return (pid_t)strtol(at + strlen(what), NULL, 10);
}

/* The owner in the first or last line that starts with what. */
static void owner_of(const char *what, bool last, char out[96])
{
	const char *at = strstr(app.text, what);

	for (const char *p = at; last && p; p = strstr(p + 1, what))
		at = p;
	assert_non_null(at);
	assert_int_equal(sscanf(at, "%*s %*d %95s", out), 1);
}

static int wait_end(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	int status;

	while (waitpid(app.pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > until) {
			kill(app.pid, SIGKILL);
			waitpid(app.pid, &status, 0);
			return -1;
		}
		nap(10);
	}
	(void)sees("\n\n", 200); /* what is still in the pipe */
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static int close_app(void **state)
{
	(void)state;
	if (app.fd > 0)
		close(app.fd);
	app = (struct app){0};
	return 0;
}

#define JOB(role_, ...)                                                                            \
	{                                                                                          \
		.role = (role_), .count = 1, .run = __VA_ARGS__                                    \
	}

/* ---- tests ---- */

static void sigterm_ends_all_and_gives_0(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("api", fake_api), JOB("relay", fake_relay, .recover = fake_recover)};

	(void)state;
	open_app(jobs, 2);
	assert_true(sees("api-up", 3000));
	assert_true(sees("relay-up", 3000));
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_int_equal(count("api-end"), 1);
	assert_int_equal(count("relay-end"), 1);
}

static void a_dead_child_is_started_again(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("api", fake_api)};
	pid_t first;

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("api-up", 3000));
	first = pid_of("api-up ");
	kill(first, SIGKILL);
	app.len = 0;
	app.text[0] = 0;
	assert_true(sees("api-up", 3000));
	assert_int_not_equal(pid_of("api-up "), first);
	kill(app.pid, SIGINT);
	assert_int_equal(wait_end(5000), 0);
}

static void back_off_doubles(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("crash", fake_crash)};

	(void)state;
	open_app(jobs, 1);
	nap(1200); /* deaths at 0, 100, 300, 700, then 1500 ms */
	(void)sees("never", 50);
	assert_in_range(count("crash"), 3, 4);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static void a_killed_relay_is_recovered_under_its_owner_and_comes_back_with_another(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("relay", fake_relay, .recover = fake_recover)};
	char owner[96], recovered[96], next[96];

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	owner_of("relay-up", false, owner);
	assert_non_null(strchr(owner, '.'));
	assert_int_equal(strlen(strrchr(owner, '.')), 13);
	kill(pid_of("relay-up "), SIGKILL);
	assert_true(sees("recover", 3000));
	owner_of("recover", false, recovered);
	assert_string_equal(owner, recovered);
	nap(500);
	(void)sees("never", 50);
	assert_int_equal(count("relay-up"), 2);
	owner_of("relay-up", true, next);
	assert_string_not_equal(owner, next);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static void a_recovery_is_tried_until_it_gives_0(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("relay", fake_relay, .recover = fake_recover_twice)};

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	kill(pid_of("relay-up "), SIGKILL);
	assert_true(sees("recover-failed", 3000));
	assert_true(sees("recover-ok", 3000));
	nap(600);
	(void)sees("never", 50);
	assert_int_equal(count("recover-"), 2);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static void a_relay_that_ends_cleanly_is_recovered_too(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("relay", fake_relay, .recover = fake_recover)};
	char owner[96], recovered[96];

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	owner_of("relay-up", false, owner);
	owner_of("recover", false, recovered);
	assert_string_equal(owner, recovered);
}

static void the_backend_comes_first_goes_last_and_has_a_group_of_its_own(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("relay", fake_relay, .recover = fake_recover),
		JOB("redis", fake_backend, .is_backend = true, .is_up = is_backend_up)};

	(void)state;
	open_app(jobs, 2);
	assert_true(sees("relay-up", 3000));
	assert_true(sees("backend-own-group", 0));
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_true(strstr(app.text, "relay-end") < strstr(app.text, "backend-told"));
	assert_true(strstr(app.text, "recover") < strstr(app.text, "backend-told"));
}

static void a_backend_that_dies_is_started_again(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("api", fake_api),
		JOB("redis", fake_backend, .is_backend = true, .is_up = is_backend_up)};

	(void)state;
	open_app(jobs, 2);
	assert_true(sees("api-up", 3000));
	assert_true(sees("backend-up", 3000));
	kill(pid_of("backend-up "), SIGKILL);
	nap(600);
	(void)sees("never", 50);
	assert_int_equal(count("backend-up"), 2);
	assert_int_equal(count("api-up"), 1);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static void a_backend_that_does_not_come_up_ends_the_app_with_1(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("api", fake_api),
		JOB("redis", fake_crash, .is_backend = true, .is_up = is_never_up)};

	(void)state;
	open_app(jobs, 2);
	assert_int_equal(wait_end(5000), 1);
	assert_int_equal(count("crash"), 1);
	assert_int_equal(count("api-up"), 0);
}

static void a_second_sigterm_hurries(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("slow", fake_slow)};
	int64_t start;

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("slow-up", 3000));
	start = clock_mono_ms();
	kill(app.pid, SIGTERM);
	assert_true(sees("slow-told", 3000));
	nap(300);
	kill(app.pid, SIGTERM);
	assert_true(sees("slow-end", 1500));
	assert_int_equal(wait_end(3000), 0);
	assert_true(clock_mono_ms() - start < 3000);
}

static void one_ctrl_c_that_comes_twice_is_one(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("relay", fake_relay)};
	int64_t start;

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	start = clock_mono_ms();
	kill(app.pid, SIGINT);
	nap(30);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_true(clock_mono_ms() - start >= 290); /* it drained */
}

static void a_child_that_ignores_sigterm_is_killed_in_the_end(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("deaf", fake_deaf, .recover = fake_recover)};

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("deaf-up", 3000));
	kill(app.pid, SIGTERM);
	nap(500);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_true(sees("recover", 0));
}

/* Redis may be gone for good; its journal waits for the next start. */
static void a_failing_recovery_delays_the_end_only_briefly(void **state)
{
	static const struct supervisor_job jobs[] = {
		JOB("relay", fake_relay, .recover = fake_recover_in_vain)};
	int64_t start;

	(void)state;
	open_app_draining(jobs, 1, 60);
	assert_true(sees("relay-up", 3000));
	start = clock_mono_ms();
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(15000), 0);
	assert_true(clock_mono_ms() - start < 8000);
	assert_true(sees("recover-waits", 0));
}

/* Whatever handler a role sets: Ctrl-C would be the first and SIGTERM the second of two. */
static void ctrl_c_does_not_reach_a_role_that_hears_it(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("eager", fake_eager)};

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	kill(pid_of("relay-up "), SIGINT);
	nap(200);
	assert_false(sees("relay-told", 50));
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_int_equal(count("relay-end"), 1);
}

static void a_child_does_not_outlive_a_killed_supervisor(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("relay", fake_relay)};

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	kill(app.pid, SIGKILL);
	assert_int_equal(wait_end(1000), -2);
	assert_true(sees("relay-end", 3000));
}

static void ctrl_c_does_not_reach_the_children(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("relay", fake_relay)};

	(void)state;
	open_app(jobs, 1);
	assert_true(sees("relay-up", 3000));
	kill(pid_of("relay-up "), SIGINT);
	kill(pid_of("relay-up "), SIGHUP);
	nap(200);
	kill(app.pid, SIGHUP); /* no reload in the plan: nothing */
	nap(800);
	assert_int_equal(waitpid(app.pid, NULL, WNOHANG), 0);
	assert_int_equal(count("relay-up"), 1);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
	assert_int_equal(count("relay-end"), 1);
}

static void a_terminal_that_goes_away_ends_dev(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("api", fake_api)};

	(void)state;
	app.plan.hangup_ends = true;
	open_app(jobs, 1);
	assert_true(sees("api-up", 3000));
	kill(app.pid, SIGHUP);
	assert_int_equal(wait_end(5000), 0);
}

static void a_role_that_runs_once_is_not_started_again(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("dev", fake_once_good, .is_once = true),
						     JOB("api", fake_api)};

	(void)state;
	open_app(jobs, 2);
	assert_true(sees("api-up", 3000));
	nap(500);
	(void)sees("never", 50);
	assert_int_equal(count("once"), 1);
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static void a_failed_run_once_role_ends_the_app_with_1(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("api", fake_api),
						     JOB("dev", fake_once_bad, .is_once = true)};

	(void)state;
	open_app(jobs, 2);
	assert_int_equal(wait_end(5000), 1);
	assert_int_equal(count("once"), 1);
}

static void only_roles_that_listen_keep_the_sockets(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("api", fake_listener, .listens = true),
						     JOB("keeper", fake_not_listening)};
	static const int fds[] = {200};

	(void)state;
	assert_int_equal(dup2(0, 200), 200);
	app.plan.listen_fds = fds;
	app.plan.n_listen_fds = 1;
	app.plan.lock_fd = -1;
	open_app(jobs, 2);
	close(200);
	assert_true(sees("listens-1", 3000));
	assert_true(sees("socket-closed", 3000));
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

static int fake_orphan_maker(const struct role_context *ctx)
{
	pid_t child = fork();

	if (child == 0) {
		nap(100);
		_exit(0);
	}
	report("orphan", ctx->owner);
	return serve_until_told("maker", ctx, 0);
}

/* As PID 1 the supervisor inherits what its children leave behind. */
static void orphans_are_reaped(void **state)
{
	static const struct supervisor_job jobs[] = {JOB("maker", fake_orphan_maker)};
	char path[64], text[256] = "";
	FILE *f;

	(void)state;
	app.is_subreaper = true;
	open_app(jobs, 1);
	assert_true(sees("maker-up", 3000));
	kill(pid_of("maker-up "), SIGKILL);
	nap(400);
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)app.pid, (long)app.pid);
	f = fopen(path, "re");
	if (f) {
		char *pid, *save = NULL;

		assert_non_null(fgets(text, sizeof(text), f));
		fclose(f);
		for (pid = strtok_r(text, " ", &save); pid; pid = strtok_r(NULL, " ", &save)) {
			char stat[64], line[512] = "";

			snprintf(stat, sizeof(stat), "/proc/%s/stat", pid);
			f = fopen(stat, "re");
			assert_non_null(f);
			assert_non_null(fgets(line, sizeof(line), f));
			fclose(f);
			assert_null(strstr(line, ") Z "));
		}
	}
	kill(app.pid, SIGTERM);
	assert_int_equal(wait_end(5000), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, close_app)

UNIT_TESTS(TEST(sigterm_ends_all_and_gives_0), TEST(a_dead_child_is_started_again),
	   TEST(back_off_doubles),
	   TEST(a_killed_relay_is_recovered_under_its_owner_and_comes_back_with_another),
	   TEST(a_recovery_is_tried_until_it_gives_0),
	   TEST(a_relay_that_ends_cleanly_is_recovered_too),
	   TEST(the_backend_comes_first_goes_last_and_has_a_group_of_its_own),
	   TEST(a_backend_that_dies_is_started_again),
	   TEST(a_backend_that_does_not_come_up_ends_the_app_with_1),
	   TEST(a_second_sigterm_hurries), TEST(one_ctrl_c_that_comes_twice_is_one),
	   TEST(a_child_that_ignores_sigterm_is_killed_in_the_end),
	   TEST(a_failing_recovery_delays_the_end_only_briefly),
	   TEST(ctrl_c_does_not_reach_a_role_that_hears_it),
	   TEST(a_child_does_not_outlive_a_killed_supervisor),
	   TEST(ctrl_c_does_not_reach_the_children), TEST(a_terminal_that_goes_away_ends_dev),
	   TEST(a_role_that_runs_once_is_not_started_again),
	   TEST(a_failed_run_once_role_ends_the_app_with_1),
	   TEST(only_roles_that_listen_keep_the_sockets), TEST(orphans_are_reaped))
