/* Transcripts: complete lines in whatever pieces they arrive, and always bounded. */
#include "smtp/client/transcript.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text, with the times as 0: a loaded machine takes its time. */
static void check(const struct transcript *t, const char *wanted)
{
	struct buf text = {0}, timeless = {0};

	transcript_text(t, &text);
	for (const char *p = buf_text(&text); *p; p = strchr(p, '\n') + 1) {
		const char *what = strchr(p, ' ');

		assert_true(*p >= '0' && *p <= '9');
		buf_str(&timeless, "0");
		buf_append(&timeless, what, (size_t)(strchr(what, '\n') + 1 - what));
	}
	assert_string_equal(buf_text(&timeless), wanted);
	buf_deinit(&text);
	buf_deinit(&timeless);
}

static void heard(struct transcript *t, const char *text)
{
	transcript_heard(t, text, strlen(text));
}

static void said(struct transcript *t, const char *text)
{
	transcript_said(t, text, strlen(text));
}

static void lines_are_whole_however_they_came(void **state)
{
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "mx.test", "192.0.2.1:25");
	transcript_note(&t, "connected from %s", "192.0.2.2");
	heard(&t, "2");
	heard(&t, "20 he");
	heard(&t, "llo\r");
	heard(&t, "\n");
	said(&t, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	heard(&t, "250 ok\r\n250 ok\n354");
	transcript_note(&t, "connection closed at DATA");
	check(&t, "0 * connect to mx.test (192.0.2.1:25)\n"
		  "0 * connected from 192.0.2.2\n"
		  "0 S: 220 hello\n"
		  "0 C: MAIL FROM:<a@b>\n"
		  "0 C: RCPT TO:<c@d>\n"
		  "0 C: DATA\n"
		  "0 S: 250 ok\n"
		  "0 S: 250 ok\n"
		  "0 S: 354\n"
		  "0 * connection closed at DATA\n");
	transcript_deinit(&t);
}

static void a_body_is_recorded_by_its_size_only(void **state)
{
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "h", "a");
	said(&t, "DATA\r\n");
	transcript_sent_body(&t, 1000);
	transcript_sent_body(&t, 0);
	transcript_sent_body(&t, 234);
	said(&t, ".\r\n");
	transcript_sent_body(&t, 5);
	check(&t, "0 * connect to h (a)\n0 C: DATA\n0 C: [1234 octets of the mail]\n0 C: .\n"
		  "0 C: [5 octets of the mail]\n");
	transcript_deinit(&t);
}

static void octets_that_are_not_printable_are_escaped(void **state)
{
	static const char bytes[] = "550 \0\x1b[31m\xff\xe2\x80\xae \xc3\xbc\t.\r\n";
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "h", "a");
	transcript_heard(&t, bytes, sizeof(bytes) - 1);
	check(&t, "0 * connect to h (a)\n"
		  "0 S: 550 \\x00\\x1b[31m\xef\xbf\xbd\\u202e \xc3\xbc .\n");
	transcript_deinit(&t);
}

static void long_lines_are_cut(void **state)
{
	struct transcript t = {0};
	struct buf text = {0};
	const char *line;

	(void)state;
	transcript_open(&t, "h", "a");
	for (int i = 0; i < 100; i++)
		heard(&t, "0123456789\x1b");
	heard(&t, "\r\n250 next\r\n");
	transcript_text(&t, &text);
	line = strchr(buf_text(&text), '\n') + 1;
	assert_non_null(strstr(line, "89\\x1b0123"));
	assert_non_null(strstr(line, " [cut]\n"));
	assert_in_range(strchr(line, '\n') - line, 512, 800);
	assert_non_null(strstr(line, "S: 250 next\n"));
	buf_deinit(&text);
	transcript_deinit(&t);
}

static void a_long_transcript_keeps_its_beginning_and_its_end(void **state)
{
	struct transcript t = {0};
	struct buf text = {0};
	char line[200];

	(void)state;
	transcript_open(&t, "h", "a");
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "250-%04d %080d\r\n", i, 0);
		heard(&t, line);
		assert_true(t.said.len <= 40000);
	}
	transcript_text(&t, &text);
	assert_true(text.len < 40000);
	assert_non_null(strstr(buf_text(&text), "S: 250-0000 "));
	assert_non_null(strstr(buf_text(&text), "S: 250-0100 "));
	assert_null(strstr(buf_text(&text), "S: 250-2500 "));
	assert_non_null(strstr(buf_text(&text), "S: 250-4950 "));
	assert_non_null(strstr(buf_text(&text), "S: 250-4999 "));
	assert_non_null(strstr(buf_text(&text), "octets omitted]\n"));
	buf_deinit(&text);
	transcript_deinit(&t);
}

static void one_byte_at_a_time_is_bounded_too(void **state)
{
	struct transcript t = {0};
	struct buf text = {0};

	(void)state;
	transcript_open(&t, "h", "a");
	for (int i = 0; i < 100000; i++)
		heard(&t, i % 50 ? "x" : "\n");
	assert_true(t.said.len <= 40000);
	transcript_text(&t, &text);
	assert_in_range(text.len, 1000, 40000);
	buf_deinit(&text);
	transcript_deinit(&t);
}

static void a_further_transaction_starts_a_new_transcript(void **state)
{
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "h", "a");
	for (int i = 0; i < 3000; i++)
		heard(&t, "250-of the first one\r\n");
	assert_false(t.is_reused);
	transcript_reuse(&t);
	assert_true(t.is_reused);
	assert_true(t.said.cap <= 4096); /* its memory is given back */
	said(&t, "MAIL FROM:<a@b>\r\n");
	check(&t, "0 C: MAIL FROM:<a@b>\n");
	transcript_deinit(&t);
}

static void the_next_host_keeps_the_words_of_the_first_but_not_its_times(void **state)
{
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "one", "a");
	transcript_enter(&t, PHASE_CONNECT);
	transcript_note(&t, "refused");
	transcript_enter(&t, PHASE_NONE);
	transcript_open(&t, "two", "b");
	assert_int_equal(t.phase_ms[PHASE_CONNECT], -1);
	check(&t, "0 * connect to one (a)\n0 * refused\n0 * connect to two (b)\n");
	transcript_deinit(&t);
}

static void steps_are_measured_between_ticks(void **state)
{
	struct transcript t = {0};

	(void)state;
	transcript_open(&t, "h", "a");
	transcript_enter(&t, PHASE_EHLO);
	t.now_ms += 5;
	transcript_enter(&t, PHASE_TLS);
	t.now_ms += 7;
	transcript_enter(&t, PHASE_EHLO); /* once more after STARTTLS */
	t.now_ms += 3;
	transcript_enter(&t, PHASE_NONE);
	t.now_ms += 1000;
	transcript_enter(&t, PHASE_MAIL);
	transcript_enter(&t, PHASE_RCPT);
	assert_int_equal(t.phase_ms[PHASE_EHLO], 8);
	assert_int_equal(t.phase_ms[PHASE_TLS], 7);
	assert_int_equal(t.phase_ms[PHASE_MAIL], 0);
	assert_int_equal(t.phase_ms[PHASE_RCPT], 0);
	assert_int_equal(t.phase_ms[PHASE_DATA], -1);
	transcript_deinit(&t);
}

static void functions_accept_a_null_transcript(void **state)
{
	(void)state;
	transcript_tick(NULL);
	transcript_open(NULL, "h", "a");
	transcript_reuse(NULL);
	transcript_enter(NULL, PHASE_MAIL);
	said(NULL, "x\n");
	heard(NULL, "x\n");
	transcript_sent_body(NULL, 5);
	transcript_note(NULL, "x");
}

UNIT_TESTS(cmocka_unit_test(lines_are_whole_however_they_came),
	   cmocka_unit_test(a_body_is_recorded_by_its_size_only),
	   cmocka_unit_test(octets_that_are_not_printable_are_escaped),
	   cmocka_unit_test(long_lines_are_cut),
	   cmocka_unit_test(a_long_transcript_keeps_its_beginning_and_its_end),
	   cmocka_unit_test(one_byte_at_a_time_is_bounded_too),
	   cmocka_unit_test(a_further_transaction_starts_a_new_transcript),
	   cmocka_unit_test(the_next_host_keeps_the_words_of_the_first_but_not_its_times),
	   cmocka_unit_test(steps_are_measured_between_ticks),
	   cmocka_unit_test(functions_accept_a_null_transcript))
