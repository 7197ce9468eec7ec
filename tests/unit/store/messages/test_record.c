/* The record of a message: what is read from it, its status, and what is refused as damaged. */
#include "server/store/messages/record.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "1 otp test fail 7 1700000000001 1700003600001 2 5 2 3 1234 2 shop@example.test\n"
#define JOBS "1 0 2 1 sink/one.test\n0 3 4 4 sink/two.test\n"
#define RECIPIENTS                                                                                 \
	"deferred 0 2 451 1700000000009 4 ann@one.test\n"                                          \
	"delivered 1 1 250 1700000000008 3 bob@two.test\n"                                         \
	"queued 0 0 0 0 0 \xc3\xbc@one.test\n"
#define FACTS "{\"subject\":\"a b\"}\n"
#define EVENTS                                                                                     \
	"1 queued - 1700000000001 0 - \n"                                                          \
	"2 deferred 0 1700000000005 0 dup the connection broke\n"                                  \
	"3 delivered 1 1700000000008 250 - 2.0.0 ok\n"                                             \
	"4 deferred 0 1700000000009 451 - 4.7.1 try later\n"
#define WHOLE HEAD JOBS RECIPIENTS FACTS EVENTS

static int parse(const char *text, struct record *r)
{
	struct err e = {0};
	int rc = record_parse(text, strlen(text), r, &e);

	if (rc < 0) {
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_true(strlen(e.text) > 0);
	}
	return rc;
}

static void all_fields_are_read(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(WHOLE, &r), 0);
	assert_int_equal(r.lane, LANE_OTP);
	assert_true(r.is_test);
	assert_true(r.choices.fail_on_unknown);
	assert_string_equal(r.project, "7");
	assert_string_equal(r.sender, "shop@example.test");
	assert_int_equal(r.accepted_ms, 1700000000001);
	assert_int_equal(r.deadline_ms, 1700003600001);
	assert_int_equal(r.packed_bytes, 1234);
	assert_int_equal(r.chunks, 2);
	assert_string_equal(r.facts, "{\"subject\":\"a b\"}");
	assert_int_equal(r.n_jobs, 2);
	assert_false(r.jobs[0].is_done);
	assert_true(r.jobs[1].is_done);
	assert_string_equal(r.jobs[1].destination, "sink/two.test");
	assert_int_equal(r.jobs[1].next_attempt_ms, 0);
	assert_int_equal(r.n_recipients, 3);
	assert_int_equal(r.recipients[0].state, STATE_DEFERRED);
	assert_int_equal(r.recipients[0].attempts, 2);
	assert_int_equal(r.recipients[0].code, 451);
	assert_int_equal(r.recipients[0].at_ms, 1700000000009);
	assert_string_equal(r.recipients[0].email, "ann@one.test");
	assert_int_equal(r.recipients[1].job, 1);
	assert_string_equal(r.recipients[2].email, "\xc3\xbc@one.test");
	record_deinit(&r);
	record_deinit(&r); /* of a zeroed one does nothing */
}

static void the_last_event_of_a_recipient_gives_its_text_and_any_its_flag(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(WHOLE, &r), 0);
	assert_string_equal(r.recipients[0].text, "4.7.1 try later");
	assert_true(r.recipients[0].possible_duplicate);
	assert_string_equal(r.recipients[1].text, "2.0.0 ok");
	assert_false(r.recipients[1].possible_duplicate);
	assert_string_equal(r.recipients[2].text, "");
	record_deinit(&r);
}

static void an_end_without_a_reply_keeps_the_last_reply(void **state)
{
	static const struct {
		const char *events, *text;
		int code;
		bool is_suppressed;
	} rows[] = {
		{"2 deferred 0 9 451 - 4.7.1 later\n3 expired 0 10 0 - deadline passed\n",
		 "4.7.1 later", 451, false},
		{"2 deferred 0 9 451 - 4.7.1 later\n3 canceled 0 10 0 - by request\n",
		 "4.7.1 later", 451, false},
		{"2 deferred 0 9 451 - 4.7.1 later\n3 queued 0 10 0 - by request\n", "4.7.1 later",
		 451, false},
		{"2 expired 0 10 0 - deadline passed\n", "deadline passed", 0, false},
		{"2 deferred 0 9 451 - later\n3 deferred 0 10 0 - refused at connect\n",
		 "refused at connect", 0, false},
		{"2 held 0 9 0 - the relay died\n3 deferred 0 10 421 - later\n", "later", 421,
		 false},
		{"2 bounced 0 9 550 sup 5.1.1 unknown\n", "5.1.1 unknown", 550, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct record r;
		char text[1000];

		snprintf(text, sizeof(text), HEAD JOBS RECIPIENTS FACTS "1 queued - 5 0 - \n%s",
			 rows[i].events);
		assert_int_equal(parse(text, &r), 0);
		assert_string_equal(r.recipients[0].text, rows[i].text);
		assert_int_equal(r.recipients[0].code, rows[i].code);
		assert_int_equal(r.recipients[0].is_suppressed, rows[i].is_suppressed);
		record_deinit(&r);
	}
}

static void events_and_attempts_are_read_in_order(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(HEAD JOBS RECIPIENTS FACTS "1 queued - 5 0 - \n"
							  "2 deferred 0 9 451 dup 4.7.1 later\n"
							  "3 deferred 2 9 451 - 4.7.1 later\n"
							  "a 0 1 2 first try\n"
							  "a 1 9 0 -\n"
							  "4 delivered 0 10 250 - ok\n"
							  "a 0 2 1 second\na 0 3 0 torn",
			       &r),
			 0);
	assert_int_equal(r.n_events, 4);
	assert_int_equal(r.events[0].n, 1);
	assert_string_equal(r.events[0].type, "queued");
	assert_true(r.events[0].recipient == SIZE_MAX);
	assert_int_equal(r.events[1].recipient, 0);
	assert_int_equal(r.events[1].at_ms, 9);
	assert_int_equal(r.events[1].code, 451);
	assert_true(r.events[1].possible_duplicate);
	assert_string_equal(r.events[3].text, "ok");
	assert_int_equal(r.n_attempts, 3);
	assert_int_equal(r.attempts[0].job, 0);
	assert_int_equal(r.attempts[0].epoch, 1);
	assert_int_equal(r.attempts[0].first_event, 1);
	assert_int_equal(r.attempts[0].n_events, 2);
	assert_string_equal(r.attempts[0].line, "first try");
	assert_int_equal(r.attempts[1].job, 1);
	assert_int_equal(r.attempts[1].epoch, 9);
	assert_int_equal(r.attempts[1].n_events, 0);
	assert_string_equal(r.attempts[1].line, "-");
	assert_int_equal(r.attempts[2].epoch, 2);
	assert_int_equal(r.attempts[2].first_event, 3);
	assert_string_equal(r.attempts[2].line, "second");
	record_deinit(&r);
}

static void a_damaged_attempt_hides_nothing_else(void **state)
{
	static const char *const lines[] = {
		"a \n",
		"a 0\n",
		"a 0 1\n",
		"a 0 1 1\n",
		"a x 1 1 y\n",
		"a 2 1 1 no job\n",
		"a 0 1 2 two events\n",
		"a 0 1 -1 y\n",
		"a 0 1 1x y\n",
	};
	char text[600];
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "%s%s%s",
			 HEAD JOBS RECIPIENTS FACTS "1 queued - 5 0 - \n", lines[i],
			 "2 delivered 1 4 250 - fine\na 1 3 1 good\n");
		assert_int_equal(parse(text, &r), 0);
		assert_int_equal(r.n_events, 2);
		assert_int_equal(r.n_attempts, 1);
		assert_string_equal(r.attempts[0].line, "good");
		record_deinit(&r);
	}
}

static void events_without_a_recipient_are_skipped(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(parse(HEAD JOBS RECIPIENTS FACTS
			       "1 deferred 3 1 2 dup x\n2 deferred 99999999999999999999 1 2 dup x\n"
			       "3 delivered 1 4 250 - fine\n4 torn",
			       &r),
			 0);
	for (size_t i = 0; i < 3; i++)
		assert_false(r.recipients[i].possible_duplicate);
	assert_string_equal(r.recipients[1].text, "fine");
	record_deinit(&r);
}

static void the_status_is_the_least_finished_state(void **state)
{
	static const struct {
		const char *states[3], *status;
	} rows[] = {
		{{"queued", "queued", "queued"}, "queued"},
		{{"delivered", "delivered", "delivered"}, "delivered"},
		{{"canceled", "canceled", "canceled"}, "canceled"},
		{{"delivered", "bounced", "delivered"}, "mixed"},
		{{"delivered", "deferred", "bounced"}, "deferred"},
		{{"deferred", "queued", "expired"}, "queued"},
		{{"queued", "scheduled", "suppressed"}, "scheduled"},
		{{"failed", "scheduled", "held"}, "held"},
	};
	char text[512];
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
			 "1 bulk live retry 1 1 2 3 1 1 3 9 0 s@x\n3 0 0 0 x.test\n"
			 "%s 0 0 0 0 0 a@x\n%s 0 0 0 0 0 b@x\n%s 0 0 0 0 0 c@x\n{}\n",
			 rows[i].states[0], rows[i].states[1], rows[i].states[2]);
		assert_int_equal(parse(text, &r), 0);
		assert_string_equal(record_status(&r), rows[i].status);
		assert_false(r.is_test || r.choices.fail_on_unknown);
		record_deinit(&r);
	}
}

static void names_and_ends_of_states_agree(void **state)
{
	static const struct {
		enum recipient_state state;
		const char *name;
		bool is_terminal;
	} rows[] = {
		{STATE_QUEUED, "queued", false},        {STATE_SCHEDULED, "scheduled", false},
		{STATE_DEFERRED, "deferred", false},    {STATE_HELD, "held", false},
		{STATE_DELIVERED, "delivered", true},   {STATE_BOUNCED, "bounced", true},
		{STATE_EXPIRED, "expired", true},       {STATE_CANCELED, "canceled", true},
		{STATE_SUPPRESSED, "suppressed", true}, {STATE_FAILED, "failed", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(recipient_state_name(rows[i].state), rows[i].name);
		assert_int_equal(recipient_state_is_terminal(rows[i].state), rows[i].is_terminal);
	}
}

static void damage_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"\n",
		"1\n",
		"2 otp test fail 7 1 2 0 1 0 0 9 0 s@x\n{}\n",
		"1 fast test fail 7 1 2 0 1 0 0 9 0 s@x\n{}\n",
		"1 otp test fail 7 x 2 0 1 0 0 9 0 s@x\n{}\n",
		"1 otp test fail 7 1 -2 0 1 0 0 9 0 s@x\n{}\n",
		"1 otp test fail 7 1 2 0 1 0 0 9 s@x\n{}\n",
		"1 otp test fail 7 1 2 0 1 0 0 9 0 s@x\n{}", /* the facts do not end */
		"1 otp test fail 7 1 2 0 1 100001 0 9 0 s@x\n{}\n",
		"1 otp test fail 7 1 2 0 1 0 100001 9 0 s@x\n{}\n",
		"1 otp test fail 7 1 2 0 1 99999999999999999999 0 9 0 s@x\n{}\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 x.test\nqueued 0 0 0 0 0 a@x\n{}\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 0 x.test\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 0 x.test\nmarried 0 0 0 0 0 "
		"a@x\n{}\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 0 x.test\nqueued 1 0 0 0 0 a@x\n{}\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 0 x.test\nqueued -1 0 0 0 0 "
		"a@x\n{}\n",
		"1 otp test fail 7 1 2 1 1 1 1 9 0 s@x\n1 0 0 0 x.test\nqueued 0 0 0 0 0 a@x\n",
	};
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&r, 0x5a, sizeof(r));
		if (parse(rows[i], &r) == 0)
			fail_msg("row %zu was read: %s", i, rows[i]);
		assert_int_equal(((unsigned char *)&r)[0], 0x5a); /* untouched on failure */
	}
}

static void a_zero_byte_is_damage(void **state)
{
	static const char text[] = HEAD JOBS RECIPIENTS FACTS "1 queued - 1 0 - a\0b\n";
	struct record r;
	struct err e;

	(void)state;
	assert_int_equal(record_parse(text, sizeof(text) - 1, &r, &e), -1);
}

static void a_record_cut_anywhere_is_read_or_refused(void **state)
{
	size_t facts_end = strlen(HEAD JOBS RECIPIENTS FACTS);
	struct record r;

	(void)state;
	for (size_t len = 0; len <= strlen(WHOLE); len++) {
		char *copy = malloc(len ? len : 1); /* exact, so that ASan sees one byte too far */
		struct err e;
		int rc;

		assert_non_null(copy);
		memcpy(copy, WHOLE, len);
		rc = record_parse(copy, len, &r, &e);
		assert_int_equal(rc, len >= facts_end ? 0 : -1);
		free(copy);
		if (rc == 0)
			record_deinit(&r);
	}
}

UNIT_TESTS(cmocka_unit_test(all_fields_are_read),
	   cmocka_unit_test(events_and_attempts_are_read_in_order),
	   cmocka_unit_test(a_damaged_attempt_hides_nothing_else),
	   cmocka_unit_test(the_last_event_of_a_recipient_gives_its_text_and_any_its_flag),
	   cmocka_unit_test(events_without_a_recipient_are_skipped),
	   cmocka_unit_test(the_status_is_the_least_finished_state),
	   cmocka_unit_test(names_and_ends_of_states_agree), cmocka_unit_test(damage_is_refused),
	   cmocka_unit_test(an_end_without_a_reply_keeps_the_last_reply),
	   cmocka_unit_test(a_zero_byte_is_damage),
	   cmocka_unit_test(a_record_cut_anywhere_is_read_or_refused))
