/* Transfer encodings: which one is chosen, and the exact octets it writes. */
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/encode.h"
#include "tests/unit/unit.h"

#define E10 "éééééééééé"

static void check_encoded(const char *text, const char *encoded, enum encode how)
{
	struct buf out = {0};

	assert_int_equal(encode_choose(text, strlen(text)), how);
	encode_text(how, text, strlen(text), &out);
	assert_false(out.failed);
	assert_string_equal(buf_text(&out), encoded);
	buf_deinit(&out);
}

static void each_text_gets_the_encoding_that_keeps_it_whole(void **state)
{
	static const struct {
		const char *text, *encoded;
		enum encode how;
	} rows[] = {
		{"", "", ENCODE_7BIT},
		{"hello", "hello", ENCODE_7BIT},
		{"a\nb\rc\r\nd", "a\r\nb\r\nc\r\nd", ENCODE_7BIT},
		{"a\r\r\nb\n\r", "a\r\n\r\nb\r\n\r\n", ENCODE_7BIT},
		{"\n\n", "\r\n\r\n", ENCODE_7BIT},
		{".\n..\n.foo\n\r\n.\r\n", ".\r\n..\r\n.foo\r\n\r\n.\r\n", ENCODE_7BIT},
		{"a = b \t\n", "a = b \t\r\n", ENCODE_7BIT},
		{"From me\nFrom you", "=46rom me\r\n=46rom you", ENCODE_QP},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaa\x1b", "aaaaaaaaaaaaaaaaaaaaaaaaaaa=1B", ENCODE_QP},
		{"for the caf\xc3\xa9: a = b\n.\nend \n\t\n x",
		 "for the caf=C3=A9: a =3D b\r\n=2E\r\nend=20\r\n=09\r\n x", ENCODE_QP},
		{"x of LS \u2028 in a text that is long",
		 "x of LS =E2=80=A8 in a text that is long", ENCODE_QP},
		{"\xc3\xa9\n", "=C3=A9\r\n", ENCODE_QP},
		{"5 \u20ac", "5 =E2=82=AC", ENCODE_QP},
		{"Sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9f"
		 "e!",
		 "Sch=C3=B6ne Gr=C3=BC=C3=9Fe!", ENCODE_QP},
		{"\u65e5\u672c\u8a9e\u3067\u3059\n", "5pel5pys6Kqe44Gn44GZDQo=", ENCODE_BASE64},
		{E10 E10,
		 "w6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqQ==", ENCODE_BASE64},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_encoded(rows[i].text, rows[i].encoded, rows[i].how);
}

static void lines_over_998_octets_are_never_7bit(void **state)
{
	char text[1100];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(encode_choose(text, 998), ENCODE_7BIT);
	assert_int_equal(encode_choose(text, 999), ENCODE_QP);
	text[998] = '\n';
	assert_int_equal(encode_choose(text, sizeof(text)), ENCODE_7BIT);
	text[998] = 'x';
	text[999] = '\r';
	assert_int_equal(encode_choose(text, sizeof(text)), ENCODE_QP);
}

static void check_lines(const struct buf *out, size_t longest)
{
	const char *p = out->data, *end = out->data + out->len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf ? lf - 1 : end;

		assert_true((size_t)(stop - p) <= longest);
		for (; p < stop; p++)
			assert_true((*p >= ' ' && *p <= '~') || *p == '\t');
		if (!lf)
			return;
		assert_int_equal(*stop, '\r');
		p = lf + 1;
	}
}

static void encoded_lines_are_at_most_76_long_whatever_is_in_the_text(void **state)
{
	static const char *const units[] = {"x",    "=",    "é",  "€",  "😀",     " ",
					    "ab é", "\xff", ". ", "\t", "a\rb\n"};
	static const enum encode ways[] = {ENCODE_QP, ENCODE_BASE64};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct buf text = {0}, out = {0};

		for (int k = 0; k < 1000; k++)
			buf_str(&text, units[i]);
		for (size_t w = 0; w < 2; w++) {
			buf_reset(&out);
			encode_text(ways[w], text.data, text.len, &out);
			assert_false(out.failed);
			check_lines(&out, 76);
		}
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

static void a_soft_line_break_never_splits_a_character(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 12; shift++) {
		struct buf text = {0}, out = {0};
		const char *p;

		buf_append(&text, "xxxxxxxxxxxx", shift);
		for (int k = 0; k < 50; k++)
			buf_str(&text, "€");
		encode_text(ENCODE_QP, text.data, text.len, &out);
		for (p = strstr(out.data, "=\r\n"); p; p = strstr(p + 3, "=\r\n"))
			assert_memory_equal(p + 3, "=E2", 3);
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

static void bytes_become_base64_lines_without_a_last_line_end(void **state)
{
	static const struct {
		size_t len, encoded;
	} rows[] = {{0, 0}, {1, 4}, {2, 4}, {3, 4}, {56, 76}, {57, 76}, {58, 82}, {114, 154}};
	unsigned char bytes[200] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		encode_bytes(bytes, rows[i].len, &out);
		assert_int_equal(out.len, rows[i].encoded);
		if (out.len)
			check_lines(&out, 76);
		buf_deinit(&out);
	}
}

UNIT_TESTS(cmocka_unit_test(each_text_gets_the_encoding_that_keeps_it_whole),
	   cmocka_unit_test(lines_over_998_octets_are_never_7bit),
	   cmocka_unit_test(encoded_lines_are_at_most_76_long_whatever_is_in_the_text),
	   cmocka_unit_test(a_soft_line_break_never_splits_a_character),
	   cmocka_unit_test(bytes_become_base64_lines_without_a_last_line_end))
