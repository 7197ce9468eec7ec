/* The lines of results for the store, and the delay of the next attempt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/config/config.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/results.h"

#define RECIPIENTS 4

struct bench {
	struct config config;
	struct relay_context context;
	struct delivery_set set;
	struct job job;
	struct record_recipient recipients[RECIPIENTS];
	unsigned numbers[RECIPIENTS];
	struct delivery delivery;
};

/* A delivery to recipients 0 and 2 of a message. */
static void make(struct bench *b)
{
	*b = (struct bench){
		.config = {.retry_first_otp_s = 60, .retry_first_s = 300, .retry_max_s = 14400}};
	b->context.config = &b->config;
	b->set.context = &b->context;
	b->job.record.lane = LANE_NORMAL;
	b->job.record.recipients = b->recipients;
	b->job.record.n_recipients = RECIPIENTS;
	b->numbers[0] = 0;
	b->numbers[1] = 2;
	b->delivery.set = &b->set;
	b->delivery.job = &b->job;
	b->delivery.numbers = b->numbers;
	b->delivery.n_recipients = 2;
}

static void each_outcome_has_its_line(void **state)
{
	static const struct {
		struct connection_result result;
		bool fail_on_unknown;
		const char *line;
	} rows[] = {
		{{.outcome = OUTCOME_DELIVERED, .code = 250, .text = "2.0.0 ok"},
		 false,
		 "0 delivered 250 - 2.0.0 ok\n"},
		{{.outcome = OUTCOME_DEFERRED, .code = 451, .text = "later"},
		 false,
		 "0 deferred 451 - later\n"},
		{{.outcome = OUTCOME_DEFERRED, .code = 0, .text = "no route"},
		 true,
		 "0 deferred 0 - no route\n"},
		{{.outcome = OUTCOME_BOUNCED, .code = 550, .text = "5.1.1 who?"},
		 false,
		 "0 bounced 550 sup 5.1.1 who?\n"},
		{{.outcome = OUTCOME_BOUNCED, .code = 554, .text = "5.7.1 no"},
		 false,
		 "0 bounced 554 - 5.7.1 no\n"},
		{{.outcome = OUTCOME_UNTRIED, .code = 421, .text = "bye"},
		 true,
		 "0 deferred 421 - bye\n"},
		{{.outcome = OUTCOME_UNKNOWN, .code = 0, .text = "lost"},
		 false,
		 "0 deferred 0 dup lost\n"},
		{{.outcome = OUTCOME_UNKNOWN, .code = 0, .text = "lost"},
		 true,
		 "0 failed 0 dup lost\n"},
		{{.outcome = OUTCOME_DELIVERED, .code = 250, .text = ""},
		 false,
		 "0 delivered 250 - \n"},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		make(&b);
		b.delivery.n_recipients = 1;
		b.job.record.fail_on_unknown = rows[i].fail_on_unknown;
		results_write(&b.delivery, &rows[i].result, &out);
		assert_string_equal(buf_text(&out), rows[i].line);
		buf_deinit(&out);
	}
}

static void recipients_keep_their_number_in_the_message(void **state)
{
	static const struct connection_result results[] = {
		{.outcome = OUTCOME_DELIVERED, .code = 250, .text = "ok"},
		{.outcome = OUTCOME_BOUNCED, .code = 550, .text = "no"}};
	struct buf out = {0};
	struct bench b;

	(void)state;
	make(&b);
	results_write(&b.delivery, results, &out);
	assert_string_equal(buf_text(&out), "0 delivered 250 - ok\n2 bounced 550 - no\n");
	buf_deinit(&out);
}

static void no_reply_can_add_a_line(void **state)
{
	static const struct connection_result results[] = {
		{.outcome = OUTCOME_DEFERRED,
		 .code = 451,
		 .text = "a\n1 delivered 250 - ok\r\n\x01\t\x7f\xc3\xbc"},
		{.outcome = OUTCOME_DELIVERED, .code = 250, .text = "ok"}};
	struct buf out = {0};
	struct bench b;

	(void)state;
	make(&b);
	results_write(&b.delivery, results, &out);
	assert_string_equal(buf_text(&out), "0 deferred 451 - a 1 delivered 250 - ok     \xc3\xbc\n"
					    "2 delivered 250 - ok\n");
	buf_deinit(&out);
}

static void retries_double_to_the_limit_and_are_spread(void **state)
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

		make(&b);
		b.job.record.lane = rows[i].lane;
		b.recipients[2].attempts = rows[i].attempts;
		for (int n = 0; n < 500; n++) {
			int64_t ms = results_retry_ms(&b.delivery);

			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		assert_in_range(least, rows[i].seconds * 800, rows[i].seconds * 900);
		assert_in_range(most, rows[i].seconds * 1100, rows[i].seconds * 1200);
	}
}

static void attempts_of_other_jobs_do_not_count(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	b.recipients[1].attempts = 9;
	b.recipients[3].attempts = 9;
	assert_in_range(results_retry_ms(&b.delivery), 300 * 800, 300 * 1200);
}

static void a_first_retry_above_the_limit_is_cut(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	b.config.retry_max_s = 10;
	assert_in_range(results_retry_ms(&b.delivery), 10 * 800, 10 * 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_outcome_has_its_line),
		cmocka_unit_test(recipients_keep_their_number_in_the_message),
		cmocka_unit_test(no_reply_can_add_a_line),
		cmocka_unit_test(retries_double_to_the_limit_and_are_spread),
		cmocka_unit_test(attempts_of_other_jobs_do_not_count),
		cmocka_unit_test(a_first_retry_above_the_limit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
