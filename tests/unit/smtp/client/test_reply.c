/* Reading SMTP replies: the grammar, its limits, and what of a hostile text may be shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/reply.h"
#include "tests/unit/unit.h"

struct example {
	const char *name, *bytes;
	size_t len; /* 0 = strlen */
	enum reply_status status;
	int code;
	const char *text; /* or the error */
};

static const struct example examples[] = {
	{"one line", "250 ok\r\n", 0, REPLY_DONE, 250, "ok"},
	{"two lines", "250-a\r\n250 b\r\n", 0, REPLY_DONE, 250, "a b"},
	{"a code without text", "250\r\n", 0, REPLY_DONE, 250, ""},
	{"a code, a space, no text", "250 \r\n", 0, REPLY_DONE, 250, ""},
	{"an empty line that goes on", "250-\r\n250 b\r\n", 0, REPLY_DONE, 250, " b"},
	{"bare LF ends a line", "250-a\n250 b\n", 0, REPLY_DONE, 250, "a b"},
	{"second digits above five exist", "571 no\r\n", 0, REPLY_DONE, 571, "no"},
	{"no end yet", "250-a\r\n", 0, REPLY_MORE, 250, ""},
	{"half a code", "25", 0, REPLY_MORE, 0, ""},
	{"different codes", "250-a\r\n550 b\r\n", 0, REPLY_BAD, 0, "different codes in one reply"},
	{"a code too high", "999 a\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"a code too low", "150 a\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"a letter in the code", "2a0 a\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"two digits", "25\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"four digits", "2500 a\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"a leading space", " 250 a\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"an empty line", "\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"a web server", "HTTP/1.1 400 Bad\r\n", 0, REPLY_BAD, 0, "no reply code"},
	{"NUL in the text", "250 a\0b\r\n", 9, REPLY_DONE, 250, "a\\x00b"},
	{"NUL in the code", "25\0 a\r\n", 8, REPLY_BAD, 0, "no reply code"},
	{"escapes", "550 \x1b[2Jx\x7f\r\n", 0, REPLY_DONE, 550, "\\x1b[2Jx\\x7f"},
	{"a CR inside", "550 a\rb\r\n", 0, REPLY_DONE, 550, "a\\x0db"},
	{"UTF-8", "550 Gr\xc3\xbc\xc3\x9f\x65\r\n", 0, REPLY_DONE, 550, "Gr\xc3\xbc\xc3\x9f\x65"},
	{"Latin-1", "550 \xfc!\r\n", 0, REPLY_DONE, 550, "\xef\xbf\xbd!"},
	{"cut UTF-8", "550 \xe2\x82\r\n", 0, REPLY_DONE, 550, "\xef\xbf\xbd\xef\xbf\xbd"},
	{"overlong UTF-8", "550 \xc0\xaf\r\n", 0, REPLY_DONE, 550, "\xef\xbf\xbd\xef\xbf\xbd"},
	{"a surrogate", "550 \xed\xa0\x80\r\n", 0, REPLY_DONE, 550,
	 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"text that turns around", "550 \xe2\x80\xae!\r\n", 0, REPLY_DONE, 550, "\\u202e!"},
	{"a second line break", "550 a\xc2\x85\xe2\x80\xa8\r\n", 0, REPLY_DONE, 550,
	 "a\\u0085\\u2028"},
	{"printf's %n", "550 %n%s\r\n", 0, REPLY_DONE, 550, "%n%s"},
};

static void check(const struct example *x, size_t chunk)
{
	size_t len = x->len ? x->len : strlen(x->bytes), at = 0;
	struct reply r = {0};
	enum reply_status status = REPLY_MORE;
	char text[200];

	while (status == REPLY_MORE && at < len) {
		size_t used, n = len - at < chunk ? len - at : chunk;

		status = reply_feed(&r, x->bytes + at, n, &used);
		at += used;
	}
	if (status != x->status || (x->code && r.code != x->code))
		fail_msg("%s: status %d, code %d", x->name, (int)status, r.code);
	reply_text(&r, text, sizeof(text));
	if (status == REPLY_DONE && strcmp(text, x->text) != 0)
		fail_msg("%s: \"%s\"", x->name, text);
	if (status == REPLY_BAD && strcmp(r.error, x->text) != 0)
		fail_msg("%s: \"%s\"", x->name, r.error);
	reply_deinit(&r);
}

static void replies_read_the_same_whole_and_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		for (size_t chunk = 1; chunk < 32; chunk++)
			check(&examples[i], chunk);
}

static void a_reply_ends_where_it_ends(void **state)
{
	struct reply r = {0};
	size_t used;

	(void)state;
	assert_int_equal(reply_feed(&r, "250 a\r\n354 b\r\n", 14, &used), REPLY_DONE);
	assert_int_equal(used, 7);
	reply_reset(&r);
	assert_int_equal(reply_feed(&r, "354 b\r\n", 7, &used), REPLY_DONE);
	assert_int_equal(r.code, 354);
	reply_deinit(&r);
}

/* Feeds the unit again and again until the reply is no longer unfinished. */
static enum reply_status feed_for_ever(struct reply *r, const char *unit, size_t *total)
{
	enum reply_status status = REPLY_MORE;

	for (*total = 0; status == REPLY_MORE && *total < 1000000;) {
		size_t used;

		status = reply_feed(r, unit, strlen(unit), &used);
		*total += used;
	}
	return status;
}

static void a_reply_without_end_is_bad_in_bounded_memory(void **state)
{
	static const char *const units[] = {"x", "250-a\r\n", "250-",
					    "250-aaaaaaaaaaaaaaaaaaaaaaaaa", "250-\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct reply r = {0};
		size_t total;

		assert_int_equal(feed_for_ever(&r, units[i], &total), REPLY_BAD);
		assert_true(total <= REPLY_BYTES_MAX + 64);
		assert_true(r.text.cap <= 2 * REPLY_BYTES_MAX);
		reply_deinit(&r);
	}
}

static void the_first_512_bytes_of_a_long_line_are_kept(void **state)
{
	struct reply r = {0};
	char line[2000];
	size_t used, len;
	const char *cursor = NULL;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	assert_int_equal(reply_feed(&r, line, sizeof(line), &used), REPLY_DONE);
	assert_non_null(reply_line(&r, &cursor, &len));
	assert_int_equal(len, REPLY_LINE_MAX - 4);
	assert_null(reply_line(&r, &cursor, &len));
	reply_deinit(&r);
}

static void text_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++) {
		reply_escape("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 9, out, size);
		assert_int_equal(strlen(out), (size - 1) / 3 * 3);
		reply_escape("\x1b\x1b", 2, out, size);
		assert_int_equal(strlen(out), (size - 1) / 4 * 4);
	}
}

UNIT_TESTS(cmocka_unit_test(replies_read_the_same_whole_and_in_pieces),
	   cmocka_unit_test(a_reply_ends_where_it_ends),
	   cmocka_unit_test(a_reply_without_end_is_bad_in_bounded_memory),
	   cmocka_unit_test(the_first_512_bytes_of_a_long_line_are_kept),
	   cmocka_unit_test(text_is_cut_between_characters))
