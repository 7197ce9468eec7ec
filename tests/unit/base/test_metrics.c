/* Numbers that all processes of a Postern share. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/metrics.h"
#include "tests/unit/unit.h"

static int fresh(void **state)
{
	(void)state;
	return metrics_init();
}

static void run_in_slot(unsigned slot, enum metric m, int64_t add, int64_t set)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		metrics_use_slot(slot);
		if (add)
			metric_add(m, add);
		if (set)
			metric_set(m, set);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void counters_of_all_slots_add_up_and_survive_a_restart(void **state)
{
	(void)state;
	run_in_slot(4, METRIC_ACCEPTED, 3, 0);
	run_in_slot(5, METRIC_ACCEPTED, 4, 0);
	run_in_slot(4, METRIC_ACCEPTED, 5, 0);
	assert_int_equal(metric_sum(METRIC_ACCEPTED), 12);
}

static void gauges_of_a_restarted_process_start_at_0(void **state)
{
	(void)state;
	run_in_slot(4, METRIC_CONNECTIONS_OPEN, 0, 7);
	run_in_slot(5, METRIC_CONNECTIONS_OPEN, 0, 2);
	assert_int_equal(metric_sum(METRIC_CONNECTIONS_OPEN), 9);
	run_in_slot(4, METRIC_ACCEPTED, 1, 0);
	assert_int_equal(metric_sum(METRIC_CONNECTIONS_OPEN), 2);
}

static void a_gauge_that_all_processes_share_is_shown_once(void **state)
{
	struct buf out = {0};

	(void)state;
	run_in_slot(4, METRIC_STORE_BYTES, 0, 7000);
	run_in_slot(5, METRIC_STORE_BYTES, 0, 7001);
	metrics_render(&out);
	assert_non_null(strstr(buf_text(&out), "\npostern_store_memory_bytes 7001\n"));
	buf_deinit(&out);
}

static void the_least_value_is_that_of_a_process_that_has_the_other(void **state)
{
	(void)state;
	assert_int_equal(metric_least(METRIC_HTTP_CONNECTIONS, METRIC_API_PROCESSES), INT64_MAX);
	run_in_slot(4, METRIC_API_PROCESSES, 1, 0);
	assert_int_equal(metric_least(METRIC_HTTP_CONNECTIONS, METRIC_API_PROCESSES), 0);
	metrics_use_slot(4);
	metric_set(METRIC_API_PROCESSES, 1);
	metric_set(METRIC_HTTP_CONNECTIONS, 7);
	metrics_use_slot(5);
	metric_set(METRIC_API_PROCESSES, 1);
	metric_set(METRIC_HTTP_CONNECTIONS, 9);
	assert_int_equal(metric_least(METRIC_HTTP_CONNECTIONS, METRIC_API_PROCESSES), 7);
	metrics_use_slot(4);
	assert_int_equal(metric_least(METRIC_HTTP_CONNECTIONS, METRIC_API_PROCESSES), 9);
}

static void what_a_process_holds_ends_by_itself(void **state)
{
	struct buf out = {0};

	(void)state;
	metrics_use_slot(4);
	metric_hold(METRIC_BEHIND_BULK, 60000);
	metrics_use_slot(5);
	metric_hold(METRIC_BEHIND_BULK, 60000);
	metrics_render(&out);
	assert_non_null(strstr(buf_text(&out), "\npostern_relays_behind{lane=\"bulk\"} 2\n"));
	metric_hold(METRIC_BEHIND_BULK, 1);
	usleep(2000);
	assert_int_equal(metric_holders(METRIC_BEHIND_BULK), 1);
	metrics_clear_gauges(4);
	assert_int_equal(metric_holders(METRIC_BEHIND_BULK), 0);
	buf_deinit(&out);
}

static bool has(const struct buf *b, const char *text)
{
	return strstr(buf_text(b), text) != NULL;
}

static void a_histogram_is_cumulative(void **state)
{
	static const int64_t observed[] = {0, 1, 30, 3000, 10000000};
	struct buf out = {0};
	int64_t last = 0;

	(void)state;
	metrics_use_slot(4);
	for (size_t i = 0; i < 5; i++)
		metric_observe(METRIC_ACCEPT_MS, observed[i]);
	metrics_render(&out);
	assert_true(has(&out, "postern_accept_duration_ms_bucket{le=\"+Inf\"} 5\n"));
	assert_true(has(&out, "postern_accept_duration_ms_count 5\n"));
	assert_true(has(&out, "postern_accept_duration_ms_sum 10003031\n"));
	for (const char *p = strstr(buf_text(&out), "postern_accept_duration_ms_bucket"); p;
	     p = strstr(p + 1, "postern_accept_duration_ms_bucket")) {
		int64_t n = strtoll(strchr(p, '}') + 1, NULL, 10);

		assert_true(n >= last);
		last = n;
	}
	assert_int_equal(last, 5);
	buf_deinit(&out);
}

/* Prometheus refuses a name with two TYPE lines, or one that comes in two groups. */
static void each_name_is_described_once_before_its_values(void **state)
{
	struct buf out = {0};
	char *copy, *save = NULL, seen[8192] = "", current[128] = "";

	(void)state;
	metrics_render(&out);
	assert_false(out.failed);
	copy = buf_give(&out);
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char name[128], mark[140];

		if (strncmp(l, "# HELP ", 7) == 0)
			continue;
		if (sscanf(l, "# TYPE %127s", name) == 1) {
			snprintf(mark, sizeof(mark), "<%s>", name);
			assert_null(strstr(seen, mark));
			strcat(seen, mark);
			memcpy(current, name, sizeof(current));
			continue;
		}
		if (strncmp(l, current, strlen(current)) != 0)
			fail_msg("%s comes under %s", l, current);
	}
	free(copy);
}

static void a_slot_too_high_stays_in_the_mapping(void **state)
{
	(void)state;
	metrics_use_slot(METRIC_SLOTS + 3);
	metric_add(METRIC_ACCEPTED, 1);
	assert_int_equal(metric_sum(METRIC_ACCEPTED), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

UNIT_TESTS(TEST(counters_of_all_slots_add_up_and_survive_a_restart),
	   TEST(gauges_of_a_restarted_process_start_at_0),
	   TEST(a_gauge_that_all_processes_share_is_shown_once),
	   TEST(what_a_process_holds_ends_by_itself),
	   TEST(the_least_value_is_that_of_a_process_that_has_the_other),
	   TEST(a_histogram_is_cumulative), TEST(each_name_is_described_once_before_its_values),
	   TEST(a_slot_too_high_stays_in_the_mapping))
