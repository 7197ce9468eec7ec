/* When deferred recipients are tried again. */
#include "smtp/relay/retry.h"
#include "tests/unit/smtp/relay/bench.h"

static void retries_double_to_the_limit_and_are_never_early(void **state)
{
	static const struct {
		enum lane lane;
		unsigned attempts;
		int64_t seconds;
	} rows[] = {
		{LANE_OTP, 0, 60},      {LANE_OTP, 1, 120},      {LANE_OTP, 3, 480},
		{LANE_OTP, 8, 14400},   {LANE_NORMAL, 0, 300},   {LANE_BULK, 1, 600},
		{LANE_NORMAL, 5, 9600}, {LANE_NORMAL, 6, 14400}, {LANE_NORMAL, 1000, 14400},
		{LANE_BULK, 0, 300},    {LANE_BULK, ~0u, 14400},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t least = INT64_MAX, most = 0;

		bench_init(&b);
		b.job.record.lane = rows[i].lane;
		b.recipients[2].attempts = rows[i].attempts;
		for (int n = 0; n < 500; n++) {
			int64_t ms = retry_delay_ms(&b.delivery);

			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		assert_in_range(least, rows[i].seconds * 1000, rows[i].seconds * 1050);
		assert_in_range(most, rows[i].seconds * 1150, rows[i].seconds * 1200);
	}
}

static void attempts_of_other_jobs_do_not_count(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.recipients[1].attempts = 9;
	b.recipients[3].attempts = 9;
	assert_in_range(retry_delay_ms(&b.delivery), 300 * 1000, 300 * 1200);
}

static void a_first_retry_above_the_limit_is_cut(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.config.retry_max_s = 10;
	assert_in_range(retry_delay_ms(&b.delivery), 10 * 1000, 10 * 1200);
}

static void a_time_that_the_server_names_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{"4.2.0 Greylisted, try again in 300 seconds", 300},
		{"Greylisting in action, please come back in 00:04:59", 299},
		{"4.7.1 Please try again in 5 minutes", 300},
		{"4.7.1 TRY AGAIN IN AT LEAST 10 MIN.", 600},
		{"Greylisted for 5 minutes", 300},
		{"Greylisted for another 42s", 42},
		{"retry after 1 hour", 3600},
		{"please wait 90 sec and retry", 90},
		{"try again in about 2 h", 7200},
		{"try again in 0 seconds", 0},
		{"4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/x.html", 0},
		{"4.3.2 try again later", 0},
		{"try again in 300", 0},
		{"try again in 5 miles", 0},
		{"try again in -5 minutes", 0},
		{"try again in 99999999999999999999 minutes", 0},
		{"try again in 999999 hours", RETRY_HINT_MAX_S},
		{"come back in 99:99:99", RETRY_HINT_MAX_S},
		{"come back in 00:04", 0},
		{"await 5 minutes", 0},
		{"5 minutes", 0},
		{"again in", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (retry_hint_s(rows[i].text) != rows[i].seconds)
			fail_msg("%s: %d", rows[i].text, (int)retry_hint_s(rows[i].text));
}

static void the_time_that_the_server_names_takes_precedence(void **state)
{
	static const struct {
		const char *text;
		enum connection_outcome outcome;
		enum connection_source source;
		int64_t seconds;
	} rows[] = {
		{"try again in 600 seconds", OUTCOME_DEFERRED, SOURCE_REMOTE, 600},
		{"try again in 2 minutes", OUTCOME_DEFERRED, SOURCE_REMOTE, 120},
		{"try again in 1 second", OUTCOME_DEFERRED, SOURCE_REMOTE, 10},
		{"try again in 20 hours", OUTCOME_DEFERRED, SOURCE_REMOTE, 14400},
		{"try again in 600 seconds", OUTCOME_BOUNCED, SOURCE_REMOTE, 1200},
		{"try again in 600 seconds", OUTCOME_DEFERRED, SOURCE_LOCAL, 1200},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_init(&b);
		b.recipients[0].attempts = 2;
		b.results[1].outcome = rows[i].outcome;
		b.results[1].source = rows[i].source;
		snprintf(b.results[1].text, sizeof(b.results[1].text), "%s", rows[i].text);
		for (int n = 0; n < 50; n++)
			assert_in_range(retry_delay_ms(&b.delivery), rows[i].seconds * 1000,
					rows[i].seconds * 1200);
	}
}

UNIT_TESTS(cmocka_unit_test(retries_double_to_the_limit_and_are_never_early),
	   cmocka_unit_test(attempts_of_other_jobs_do_not_count),
	   cmocka_unit_test(a_first_retry_above_the_limit_is_cut),
	   cmocka_unit_test(a_time_that_the_server_names_is_read),
	   cmocka_unit_test(the_time_that_the_server_names_takes_precedence))
