/* How a role lives: start, drain by signal, end, stop. Each role runs in a process of its own,
 * without a Redis that answers. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/role/role.h"
#include "tests/unit/unit.h"

#define WAIT_MS 10000

static int report_fd = -1; /* where the role writes what happens, a word each */

static void report(const char *word)
{
	dprintf(report_fd, "%s ", word);
}

static int start(struct role *r, struct err *e)
{
	(void)e;
	report(r->loop && r->redis && r->state ? "start" : "odd");
	return 0;
}

static int start_in_vain(struct role *r, struct err *e)
{
	(void)r;
	report("start");
	return err_set(e, ERR_INTERNAL, "no");
}

static void drain(struct role *r, int64_t ms, bool is_patient)
{
	char word[40];

	(void)r;
	snprintf(word, sizeof(word), "drain-%lld%s", (long long)ms, is_patient ? "-patient" : "");
	report(word);
}

static void drain_at_once(struct role *r, int64_t ms, bool is_patient)
{
	drain(r, ms, is_patient);
	role_end(r, 0);
}

static void drain_in_vain(struct role *r, int64_t ms, bool is_patient)
{
	drain(r, ms, is_patient);
	role_end(r, 1);
}

static void end(struct role *r)
{
	(void)r;
	report("end");
}

static void stop(struct role *r)
{
	(void)r;
	report("stop");
}

struct child {
	pid_t pid;
	int fd;
	char text[256];
};

static struct child run_role(const struct role_functions *functions)
{
	struct child c = {0};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	c.pid = fork();
	if (c.pid == 0) {
		const struct config config = {.redis_url = "unix:///nowhere/redis.sock",
					      .data_dir = "/nowhere",
					      .partitions = 1,
					      .drain_s = 30};
		const struct role_context ctx = {.config = &config};
		int state = 0;

		report_fd = fds[1];
		log_init(LOG_ERROR, LOG_FORMAT_TEXT, "test");
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		_exit(role_run(functions, &ctx, &state));
	}
	close(fds[1]);
	c.fd = fds[0];
	return c;
}

/* Until the role has reported n words in all. */
static void wait_words(struct child *c, size_t n)
{
	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		size_t len = strlen(c->text), found = 0;
		ssize_t got;

		for (size_t i = 0; i < len; i++)
			found += c->text[i] == ' ';
		if (found >= n)
			return;
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		got = read(c->fd, c->text + len, sizeof(c->text) - 1 - len);
		assert_true(got > 0);
		c->text[len + (size_t)got] = 0;
	}
}

/* All that the role reported, and its exit status. */
static void check_end(struct child *c, const char *words, int status)
{
	ssize_t got;
	int how;

	while ((got = read(c->fd, c->text + strlen(c->text), 100)) > 0)
		continue;
	assert_int_equal(waitpid(c->pid, &how, 0), c->pid);
	close(c->fd);
	assert_string_equal(c->text, words);
	assert_true(WIFEXITED(how));
	assert_int_equal(WEXITSTATUS(how), status);
}

static void a_role_without_drain_ends_at_either_signal(void **state)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS, .start = start, .end = end, .stop = stop};
	static const int signals[] = {SIGTERM, SIGUSR1};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct child c = run_role(&functions);

		wait_words(&c, 1);
		kill(c.pid, signals[i]);
		check_end(&c, "start end stop ", 0);
	}
}

static void a_start_that_fails_is_stopped_with_status_1(void **state)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS, .start = start_in_vain, .end = end, .stop = stop};
	struct child c = run_role(&functions);

	(void)state;
	check_end(&c, "start end stop ", 1);
}

static void sigterm_drains_within_the_limit_and_a_second_one_ends_at_once(void **state)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS, .start = start, .drain = drain, .stop = stop};
	struct child c = run_role(&functions);

	(void)state;
	wait_words(&c, 1);
	kill(c.pid, SIGTERM);
	wait_words(&c, 2);
	kill(c.pid, SIGTERM);
	check_end(&c, "start drain-30000 stop ", 0);
}

static void sigusr1_drains_with_patience_until_sigterm_takes_it(void **state)
{
	static const struct role_functions functions = {.redis_needs = REDIS_SCRIPTS,
							.drain_ms = 8000,
							.start = start,
							.drain = drain,
							.stop = stop};
	struct child c = run_role(&functions);

	(void)state;
	wait_words(&c, 1);
	kill(c.pid, SIGUSR1);
	wait_words(&c, 2);
	kill(c.pid, SIGUSR1); /* changes nothing */
	kill(c.pid, SIGTERM);
	wait_words(&c, 3);
	kill(c.pid, SIGTERM);
	check_end(&c, "start drain-660000-patient drain-8000 stop ", 0);
}

static void a_drain_is_cut_off_at_its_limit(void **state)
{
	static const struct role_functions functions = {.redis_needs = REDIS_SCRIPTS,
							.drain_ms = 1,
							.start = start,
							.drain = drain,
							.end = end,
							.stop = stop};
	struct child c = run_role(&functions);

	(void)state;
	wait_words(&c, 1);
	kill(c.pid, SIGTERM);
	check_end(&c, "start drain-1 end stop ", 0);
}

static void the_status_is_that_of_role_end(void **state)
{
	static const struct role_functions good = {
		.redis_needs = REDIS_SCRIPTS, .start = start, .drain = drain_at_once, .stop = stop};
	static const struct role_functions bad = {
		.redis_needs = REDIS_SCRIPTS, .start = start, .drain = drain_in_vain, .stop = stop};
	struct child c = run_role(&good);

	(void)state;
	wait_words(&c, 1);
	kill(c.pid, SIGTERM);
	check_end(&c, "start drain-30000 stop ", 0);
	c = run_role(&bad);
	wait_words(&c, 1);
	kill(c.pid, SIGTERM);
	check_end(&c, "start drain-30000 stop ", 1);
}

UNIT_TESTS(cmocka_unit_test(a_role_without_drain_ends_at_either_signal),
	   cmocka_unit_test(a_start_that_fails_is_stopped_with_status_1),
	   cmocka_unit_test(sigterm_drains_within_the_limit_and_a_second_one_ends_at_once),
	   cmocka_unit_test(sigusr1_drains_with_patience_until_sigterm_takes_it),
	   cmocka_unit_test(a_drain_is_cut_off_at_its_limit),
	   cmocka_unit_test(the_status_is_that_of_role_end))
