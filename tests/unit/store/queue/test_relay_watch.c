/* Mail that is ready, with and without a relay, against a real Redis. */
#include "tests/unit/store/store_fixture.h"

#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/queue/relay_watch.h"

#define EVERY_MS 30
#define ENOUGH_MS 300
#define LONG_MS (ENOUGH_MS * 3)

static int watch(void **state)
{
	struct fixture *f;

	assert_int_equal(fixture_setup_partitions(state), 0);
	f = *state;
	assert_int_equal(relay_watch_start(f->store), 0);
	assert_int_equal(relay_watch_limit(f->store, EVERY_MS, ENOUGH_MS), 0);
	return 0;
}

static bool holds(struct fixture *f, void *arg)
{
	const char *why = NULL;
	bool does = relay_watch_holds(f->store, &why);

	(void)arg;
	assert_true(does || strstr(why, "role relay") || strstr(why, "lane otp"));
	return does;
}

static bool fails(struct fixture *f, void *arg)
{
	return !holds(f, arg);
}

static void on_taken(const struct take_result *taken, void *arg)
{
	for (size_t i = 0; taken && i < taken->n_jobs; i++)
		job_free(taken->jobs[i]);
	(*(int *)arg)++;
}

/* A relay takes all there is. */
static void take_all(struct fixture *f)
{
	struct take_request ask = {.max_jobs = 10, .free_connections = 10};
	int calls = 0;

	for (unsigned p = 0; p < redis_partitions(f->store); p++)
		take_jobs(f->store, OWNER, p, &ask, on_taken, &calls);
	while (calls < (int)redis_partitions(f->store))
		run_for(f, 10);
}

static void an_empty_queue_needs_no_relay(void **state)
{
	struct fixture *f = *state;

	run_for(f, LONG_MS);
	assert_true(holds(f, NULL));
	assert_int_equal(metric_sum(METRIC_QUEUE_UNATTENDED_MS), 0);
}

static void ready_mail_without_a_relay_is_reported_until_one_comes(void **state)
{
	struct fixture *f = *state;

	accept_plain(f);
	assert_true(becomes(f, fails, NULL));
	assert_true(metric_sum(METRIC_QUEUE_UNATTENDED_MS) > ENOUGH_MS);
	take_all(f);
	assert_true(becomes(f, holds, NULL));
	run_for(f, LONG_MS);
	assert_true(holds(f, NULL));
	assert_int_equal(metric_sum(METRIC_QUEUE_UNATTENDED_MS), 0);
}

/* They may be busy. */
static void ready_mail_with_a_relay_that_lives_may_wait(void **state)
{
	struct fixture *f = *state;

	accept_plain(f);
	for (int i = 0; i < 20; i++) {
		for (unsigned p = 0; p < redis_partitions(f->store); p++)
			redis_do(f, "ZADD pn:{p%u}:owners %lld own_busy", p,
				 (long long)clock_real_ms() + 60000);
		run_for(f, ENOUGH_MS / 6);
		assert_true(holds(f, NULL));
	}
}

static void a_relay_that_was_active_long_ago_does_not_count(void **state)
{
	struct fixture *f = *state;

	for (unsigned p = 0; p < redis_partitions(f->store); p++)
		redis_do(f, "ZADD pn:{p%u}:owners 1 own_gone", p);
	accept_plain(f);
	assert_true(becomes(f, fails, NULL));
}

static void a_relay_without_a_connection_for_lane_otp_is_reported(void **state)
{
	struct fixture *f = *state;
	const char *why = "";

	relay_watch_report(f->store);
	assert_true(becomes(f, fails, NULL));
	assert_false(relay_watch_holds(f->store, &why));
	assert_non_null(strstr(why, "lane otp"));
	redis_do(f, "DEL pn:{p0}:otp_waits"); /* as when it expires */
	assert_true(becomes(f, holds, NULL));
}

static void without_the_store_nothing_is_concluded(void **state)
{
	struct fixture *f = *state;

	accept_plain(f);
	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	run_for(f, LONG_MS);
	assert_true(holds(f, NULL));
	start_redis(f);
	wait_ready(f);
	assert_true(becomes(f, fails, NULL));
	redis_abandon(f->store);
}

#define WATCHED(name) cmocka_unit_test_setup_teardown(name, watch, fixture_teardown)

static int make_metrics(void **state)
{
	(void)state;
	return metrics_init();
}

UNIT_TESTS_IN(make_metrics, NULL, WATCHED(an_empty_queue_needs_no_relay),
	      WATCHED(ready_mail_without_a_relay_is_reported_until_one_comes),
	      WATCHED(ready_mail_with_a_relay_that_lives_may_wait),
	      WATCHED(a_relay_that_was_active_long_ago_does_not_count),
	      WATCHED(a_relay_without_a_connection_for_lane_otp_is_reported),
	      WATCHED(without_the_store_nothing_is_concluded))
