/* The line of an attempt: what is written is read, and what is none is refused. */
#include "server/store/messages/attempt.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct attempt empty(void)
{
	struct attempt a = {0};

	for (int i = 0; i < ATTEMPT_STEPS; i++)
		a.steps_ms[i] = -1;
	return a;
}

static struct attempt full(void)
{
	struct attempt a = empty();

	a.started_ms = 1795421700123;
	a.took_ms = 96;
	for (int i = ATTEMPT_DNS; i < ATTEMPT_STEPS; i++)
		a.steps_ms[i] = i == ATTEMPT_EHLO ? 0 : i;
	a.host = "mx1.example.com";
	a.ip = "192.0.2.10";
	a.port = 25;
	a.source = "198.51.100.7";
	a.tls = ATTEMPT_TLS_VERIFIED;
	a.tls_version = "TLSv1.3";
	a.tls_cipher = "TLS_AES_256_GCM_SHA384";
	return a;
}

static void a_line_is_one_word_a_fact(void **state)
{
	struct attempt a = full();
	char line[ATTEMPT_MAX];
	size_t len;

	(void)state;
	len = attempt_format(&a, line);
	assert_int_equal(len, strlen(line));
	assert_string_equal(line, "1795421700123 96 n1w2c3g4et6a7m8r9d10b11q12 mx1.example.com "
				  "192.0.2.10 25 198.51.100.7 TLSv1.3/TLS_AES_256_GCM_SHA384/v");
	a = empty();
	len = attempt_format(&a, line);
	assert_int_equal(len, strlen(line));
	assert_string_equal(line, "0 0 - - - - - -");
}

static void check_same(const struct attempt *a, const struct attempt *b)
{
	assert_int_equal(a->started_ms, b->started_ms);
	assert_int_equal(a->took_ms, b->took_ms);
	assert_memory_equal(a->steps_ms + 1, b->steps_ms + 1, sizeof(a->steps_ms) - 4);
	assert_string_equal(a->host, b->host);
	assert_string_equal(a->ip, b->ip);
	assert_int_equal(a->port, b->port);
	assert_string_equal(a->source, b->source);
	assert_int_equal(a->tls, b->tls);
	assert_string_equal(a->tls_version, b->tls_version);
	assert_string_equal(a->tls_cipher, b->tls_cipher);
}

static void the_reply_of_a_host_that_passed_the_mail_on_is_read(void **state)
{
	static const struct {
		int code;
		const char *reply, *read;
	} rows[] = {
		{451, "4.3.0 queue is full", "4.3.0 queue is full"},
		{0, "Connection refused at connect", "Connection refused at connect"},
		{450, "a\nb \xc3\xbc", "a?b ??"},
		{0, "", ""},
	};
	char line[ATTEMPT_MAX], scratch[ATTEMPT_MAX], text[400];
	struct attempt a = full(), b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a.code = rows[i].code;
		a.reply = rows[i].reply;
		attempt_format(&a, line);
		assert_int_equal(attempt_parse(line, scratch, &b), 0);
		check_same(&a, &b);
		assert_int_equal(b.code, rows[i].code);
		assert_string_equal(b.reply, rows[i].read);
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	a.reply = text;
	assert_true(attempt_format(&a, line) < ATTEMPT_MAX);
	assert_int_equal(attempt_parse("0 0 - - - - - - 451", scratch, &b), -1);
	assert_int_equal(attempt_parse("0 0 - - - - - - x y", scratch, &b), -1);
	assert_int_equal(attempt_parse("0 0 - - - - - - 600 y", scratch, &b), -1);
}

static void an_attempt_that_is_written_is_read_again(void **state)
{
	struct attempt a = full(), b;
	char line[ATTEMPT_MAX], scratch[ATTEMPT_MAX];

	(void)state;
	attempt_format(&a, line);
	assert_int_equal(attempt_parse(line, scratch, &b), 0);
	check_same(&a, &b);
	a.tls = ATTEMPT_TLS_UNVERIFIED;
	a.ip = "2001:db8::25";
	a.steps_ms[ATTEMPT_REPLY] = INT32_MAX;
	attempt_format(&a, line);
	assert_int_equal(attempt_parse(line, scratch, &b), 0);
	check_same(&a, &b);
	a = empty();
	a.host = a.ip = a.source = a.tls_version = a.tls_cipher = "";
	a.tls = ATTEMPT_TLS_FAILED;
	attempt_format(&a, line);
	assert_int_equal(attempt_parse(line, scratch, &b), 0);
	check_same(&a, &b);
}

static void hostile_names_cannot_leave_their_word_nor_the_line(void **state)
{
	struct attempt a = full(), b;
	char line[ATTEMPT_MAX], scratch[ATTEMPT_MAX], endless[2000];

	(void)state;
	a.host = "a b\nc\x1b\xff\x7f";
	a.tls_cipher = "x/v y";
	attempt_format(&a, line);
	assert_int_equal(attempt_parse(line, scratch, &b), 0);
	assert_string_equal(b.host, "a?b?c???");
	assert_string_equal(b.tls_cipher, "x?v?y");
	assert_string_equal(b.source, "198.51.100.7");

	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = 0;
	a.host = a.ip = a.source = a.tls_version = a.tls_cipher = endless;
	a.started_ms = a.took_ms = INT64_MAX;
	a.port = 65535;
	for (int i = 0; i < ATTEMPT_STEPS; i++)
		a.steps_ms[i] = INT32_MAX;
	assert_true(attempt_format(&a, line) < ATTEMPT_MAX);
	a.started_ms = a.took_ms = INT64_MIN;
	assert_true(attempt_format(&a, line) < ATTEMPT_MAX);
	assert_int_equal(attempt_parse(line, scratch, &b), 0);
	assert_int_equal(b.started_ms, 0);
}

static void text_that_is_not_an_attempt_line_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"-",
		"first try",
		"1 2 n1 h i 25 s",
		"1 2 n1 h i 25 s - ",
		"1 2 n1 h i 25 s - more",
		" 1 2 n1 h i 25 s -",
		"1  n1 h i 25 s -",
		"x 2 n1 h i 25 s -",
		"1 -2 n1 h i 25 s -",
		"1 2 n1x h i 25 s -",
		"1 2 n1n1 h i 25 s -",
		"1 2 n99999999999 h i 25 s -",
		"1 2 1 h i 25 s -",
		"1 2 n1 h i 65536 s -",
		"1 2 n1 h i x s -",
		"1 2 n1 h i 25 s TLSv1.3",
		"1 2 n1 h i 25 s TLSv1.3/x",
		"1 2 n1 h i 25 s TLSv1.3/x/y",
		"1 2 n1 h i 25 s TLSv1.3/x/v/v",
		"99999999999999999999999 2 n1 h i 25 s -",
	};
	char scratch[ATTEMPT_MAX], endless[ATTEMPT_MAX + 10];
	struct attempt a;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (attempt_parse(lines[i], scratch, &a) == 0)
			fail_msg("taken: %s", lines[i]);
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = 0;
	assert_int_equal(attempt_parse(endless, scratch, &a), -1);
}

static void steps_and_verdicts_have_names(void **state)
{
	(void)state;
	assert_null(attempt_step_name(ATTEMPT_NONE));
	for (int i = ATTEMPT_NONE + 1; i < ATTEMPT_STEPS; i++)
		assert_non_null(attempt_step_name((enum attempt_step)i));
	assert_null(attempt_tls_name(ATTEMPT_TLS_NONE));
	assert_string_equal(attempt_tls_name(ATTEMPT_TLS_VERIFIED), "verified");
}

UNIT_TESTS(cmocka_unit_test(a_line_is_one_word_a_fact),
	   cmocka_unit_test(an_attempt_that_is_written_is_read_again),
	   cmocka_unit_test(the_reply_of_a_host_that_passed_the_mail_on_is_read),
	   cmocka_unit_test(hostile_names_cannot_leave_their_word_nor_the_line),
	   cmocka_unit_test(text_that_is_not_an_attempt_line_is_refused),
	   cmocka_unit_test(steps_and_verdicts_have_names))
