/* The lines of results for the store. */
#include "smtp/relay/results.h"
#include "tests/unit/smtp/relay/bench.h"

static void write_results(struct bench *b, const struct connection_result *results, struct buf *out)
{
	memcpy(b->results, results, b->delivery.n_recipients * sizeof(*results));
	results_write(&b->delivery, 0, b->delivery.n_recipients, out);
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
		{{.outcome = OUTCOME_BOUNCED,
		  .source = SOURCE_REMOTE,
		  .phase = PHASE_RCPT,
		  .code = 550,
		  .text = "5.1.1 who?"},
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

		bench_init(&b);
		b.delivery.n_recipients = 1;
		b.job.record.choices.fail_on_unknown = rows[i].fail_on_unknown;
		write_results(&b, &rows[i].result, &out);
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
	bench_init(&b);
	write_results(&b, results, &out);
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
	bench_init(&b);
	write_results(&b, results, &out);
	assert_string_equal(buf_text(&out), "0 deferred 451 - a 1 delivered 250 - ok     \xc3\xbc\n"
					    "2 delivered 250 - ok\n");
	buf_deinit(&out);
}

/* A bounce with this reply to the first of two recipients; the second gets `other`. */
static bool is_suppressed(enum connection_phase phase, const char *text,
			  const struct connection_result *other)
{
	struct connection_result results[2] = {
		{.outcome = OUTCOME_BOUNCED, .source = SOURCE_REMOTE, .phase = phase, .code = 550},
		*other};
	struct buf out = {0};
	struct bench b;
	bool is;

	bench_init(&b);
	snprintf(results[0].text, sizeof(results[0].text), "%s", text);
	write_results(&b, results, &out);
	is = strncmp(buf_text(&out), "0 bounced 550 sup ", 18) == 0;
	buf_deinit(&out);
	return is;
}

static void only_a_reply_about_this_recipient_alone_suppresses(void **state)
{
	static const struct connection_result at_rcpt = {.outcome = OUTCOME_DELIVERED,
							 .source = SOURCE_REMOTE,
							 .phase = PHASE_RCPT},
					      at_dot = {.outcome = OUTCOME_BOUNCED,
							.source = SOURCE_REMOTE,
							.phase = PHASE_DOT};
	const char *unknown = "5.1.1 <a@p.test>: Recipient address rejected: User unknown";

	(void)state;
	assert_true(is_suppressed(PHASE_RCPT, unknown, &at_dot));
	assert_true(is_suppressed(PHASE_DOT, unknown, &at_rcpt));
	assert_false(is_suppressed(PHASE_DOT, unknown, &at_dot));
	assert_false(is_suppressed(PHASE_MAIL, unknown, &at_rcpt));
	assert_false(is_suppressed(PHASE_DATA, unknown, &at_rcpt));
	assert_false(is_suppressed(PHASE_GREETING, unknown, &at_rcpt));
	assert_false(is_suppressed(PHASE_RCPT, "5.1.1 no such user: Orders@Shop.example", &at_dot));
	assert_false(is_suppressed(PHASE_RCPT, "5.1.1 Sender address rejected", &at_dot));
}

UNIT_TESTS(cmocka_unit_test(each_outcome_has_its_line),
	   cmocka_unit_test(recipients_keep_their_number_in_the_message),
	   cmocka_unit_test(no_reply_can_add_a_line),
	   cmocka_unit_test(only_a_reply_about_this_recipient_alone_suppresses))
