/* Header fields: folding, encoded words, display names and parameters, octet by octet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/header.h"
#include "server/mail/param.h"
#include "tests/unit/unit.h"

#define X48 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X50 X48 "xx"

static void unstructured_values_are_encoded_only_where_they_must_be(void **state)
{
	static const struct {
		const char *value, *line;
	} rows[] = {
		{"", "Subject:\r\n"},
		{"Hello", "Subject: Hello\r\n"},
		{"Your order: 10 % off (really)", "Subject: Your order: 10 % off (really)\r\n"},
		{"Größe", "Subject: =?utf-8?B?R3LDtsOfZQ==?=\r\n"},
		{"Your new Größe is here",
		 "Subject: Your new =?utf-8?B?R3LDtsOfZQ==?= is here\r\n"},
		{"für alle und über alles",
		 "Subject: =?utf-8?Q?f=C3=BCr_alle_und_=C3=BCber?= alles\r\n"},
		{"  x", "Subject: x\r\n"},
		{"x  ", "Subject: x\r\n"},
		{" ", "Subject:\r\n"},
		{"a  b c", "Subject: a  b c\r\n"},
		{"a          b", "Subject: a =?utf-8?Q?_________b?=\r\n"},
		{"a  é  b", "Subject: a =?utf-8?Q?_=C3=A9_?= b\r\n"},
		{"really=?", "Subject: really=?\r\n"},
		{"a =?b?q?c", "Subject: a =?b?q?c\r\n"},
		{"=?=", "Subject: =?=\r\n"},
		{"a =?utf-8?q?b?= c", "Subject: a =?utf-8?B?PT91dGYtOD9xP2I/PQ==?= c\r\n"},
		{X50 " yyyyyyyyyyyyyyyyyyyy", "Subject: " X50 "\r\n yyyyyyyyyyyyyyyyyyyy\r\n"},
		{X50 X50, "Subject: " X50 X50 "\r\n"},
		{X50 "  yyyyyyyyyyyyyyyyyyyy", "Subject: " X50 "\r\n  yyyyyyyyyyyyyyyyyyyy\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		header_text(&out, "Subject", rows[i].value);
		assert_string_equal(buf_text(&out), rows[i].line);
		buf_deinit(&out);
	}
}

/* Folded as it should be: CRLF only before a space, no blank line, at most longest octets. */
static void check_folds(const struct buf *out, size_t longest)
{
	const char *p = out->data, *end = p + out->len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		assert_non_null(lf);
		assert_int_equal(lf[-1], '\r');
		assert_true((size_t)(lf - 1 - p) <= longest);
		assert_true(strspn(p, " \t") < strcspn(p, "\r"));
		for (; p < lf - 1; p++)
			assert_true(*p >= ' ' && *p <= '~');
		p = lf + 1;
		assert_true(p == end || *p == ' ');
	}
}

/* No encoded word begins with an octet of 10xxxxxx: that is 8 to B in hex, g to v in base64. */
static void check_no_split(const char *line)
{
	for (const char *p = strstr(line, "?="); p; p = strstr(p + 1, "=?utf-8?")) {
		const char *begin = strstr(p, "?Q?=");

		if (begin && begin[4])
			assert_null(strchr("89AB", begin[4]));
		begin = strstr(p, "?B?");
		if (begin)
			assert_false(begin[3] >= 'g' && begin[3] <= 'v');
	}
}

static void long_subjects_are_folded_below_78_and_split_no_character(void **state)
{
	static const char *const units[] = {"A",
					    "word ",
					    "é",
					    "😀",
					    "aé ",
					    "=?",
					    "€ €",
					    "  ",
					    "abcdefghijk é",
					    "abcdefghijkl €"};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct buf value = {0}, out = {0};

		for (int k = 0; k < 5000; k++)
			buf_str(&value, units[i]);
		header_text(&out, "Subject", value.data);
		check_folds(&out, 76);
		check_no_split(out.data);
		buf_deinit(&value);
		buf_deinit(&out);
	}
}

/* GMime (Evolution, Geary) stops decoding at padding that is not in the last word. */
static void only_the_last_base64_word_has_padding(void **state)
{
	static const char *const units[] = {"م",   "مرحبا بالعالم ", "😀", "é日本語", "aé日本😀",
					    "ab😀", "日本語日"};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct buf value = {0}, out = {0};
		const char *padding;

		buf_str(&value, "é");
		for (int k = 0; k < 100; k++)
			buf_str(&value, units[i]);
		header_text(&out, "Subject", value.data);
		check_folds(&out, 76);
		check_no_split(out.data);
		padding = strstr(out.data, "=?=");
		assert_true(!padding || strchr(padding, '\n') == out.data + out.len - 1);
		buf_deinit(&value);
		buf_deinit(&out);
	}
}

static void structured_values_are_folded_at_blanks_commas_and_between_ids(void **state)
{
	static const struct {
		const char *value, *lines;
	} rows[] = {
		{"<" X50 "@a>  <" X50 "@b>", "References: <" X50 "@a>\r\n <" X50 "@b>\r\n"},
		{"<" X50 "@a><" X50 "@b>", "References: <" X50 "@a>\r\n <" X50 "@b>\r\n"},
		{"<" X50 "@a>,<" X50 "@b>", "References: <" X50 "@a>,\r\n <" X50 "@b>\r\n"},
		{"<https://a.test/?a,b,c>,<mailto:u@x.test> (x)",
		 "References: <https://a.test/?a,b,c>, <mailto:u@x.test> (x)\r\n"},
		{" ", "References:\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		header_structured(&out, "References", rows[i].value);
		assert_string_equal(buf_text(&out), rows[i].lines);
		buf_deinit(&out);
	}
}

static void a_long_name_and_word_stay_below_998(void **state)
{
	static const char name[] = "X-" X50 "xxxxxxxxxxxxxxxxxxxxxxxx";
	char word[HEADER_WORD_MAX + 1];
	struct buf out = {0};

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	header_structured(&out, name, word);
	check_folds(&out, 1 + HEADER_WORD_MAX);
	buf_reset(&out);
	header_text(&out, name, word);
	check_folds(&out, 1 + HEADER_WORD_MAX);
	buf_reset(&out);
	header_text(&out, name, "é");
	check_folds(&out, 78);
	buf_deinit(&out);
}

static void display_names_never_leak_into_the_address(void **state)
{
	static const struct {
		const char *name, *line;
	} rows[] = {
		{"", "To: a@x.test\r\n"},
		{"John Doe", "To: John Doe <a@x.test>\r\n"},
		{"Doe, John", "To: \"Doe, John\" <a@x.test>\r\n"},
		{"J. Doe", "To: \"J. Doe\" <a@x.test>\r\n"},
		{"ceo@bank.test", "To: \"ceo@bank.test\" <a@x.test>\r\n"},
		{"x\" <evil@y.test>, \"",
		 "To: =?utf-8?B?eCIgPGV2aWxAeS50ZXN0PiwgIg==?= <a@x.test>\r\n"},
		{"Shop \"The Best\", Inc. \\ Co",
		 "To: =?utf-8?Q?Shop_=22The_Best=22=2C_Inc=2E_=5C_Co?= <a@x.test>\r\n"},
		{"what=?", "To: what=? <a@x.test>\r\n"},
		{"=?utf-8?q?x?=", "To: =?utf-8?B?PT91dGYtOD9xP3g/PQ==?= <a@x.test>\r\n"},
		{"Jürgen, <b@y>", "To: =?utf-8?B?SsO8cmdlbiwgPGJAeT4=?= <a@x.test>\r\n"},
		{"two  spaces", "To: \"two  spaces\" <a@x.test>\r\n"},
		{X50 " " X50, "To: " X50 "\r\n " X50 " <a@x.test>\r\n"},
		{X50 ", " X50, "To: \"" X50 ", " X50 "\"\r\n <a@x.test>\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = {.email = "a@x.test"};
		struct buf out = {0};

		snprintf(a.name, sizeof(a.name), "%s", rows[i].name);
		header_addresses(&out, "To", &a, 1);
		assert_string_equal(buf_text(&out), rows[i].line);
		buf_deinit(&out);
	}
}

static void five_hundred_recipients_are_folded_at_commas(void **state)
{
	static struct address list[500];
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		snprintf(list[i].email, sizeof(list[i].email), "user%zu@example.com", i);
		snprintf(list[i].name, sizeof(list[i].name), "%s %zu", i % 2 ? "Doe," : "Jö", i);
	}
	header_addresses(&out, "To", list, 500);
	check_folds(&out, 76);
	buf_deinit(&out);
}

static void the_longest_address_stays_on_the_line_of_the_field_name(void **state)
{
	struct address a = {0};
	struct buf out = {0};

	(void)state;
	memset(a.email, 'a', ADDRESS_EMAIL_MAX);
	header_addresses(&out, "From", &a, 1);
	assert_int_equal(out.len, 6 + ADDRESS_EMAIL_MAX + 2);
	assert_memory_equal(out.data, "From: a", 7);
	buf_deinit(&out);
}

static void file_names_are_plain_where_that_is_safe_and_rfc_2231_elsewhere(void **state)
{
	static const struct {
		const char *name, *lines;
	} rows[] = {
		{"a.pdf", "D: attachment; filename=\"a.pdf\"\r\n"},
		{"a; b=c.pdf", "D: attachment; filename=\"a; b=c.pdf\"\r\n"},
		{" a", "D: attachment; filename*=utf-8''%20a; filename=\"_a\"\r\n"},
		{"a ", "D: attachment; filename*=utf-8''a%20; filename=\"a_\"\r\n"},
		{"ä.pdf", "D: attachment; filename*=utf-8''%C3%A4.pdf; filename=\"_.pdf\"\r\n"},
		{"a\"b.pdf", "D: attachment; filename*=utf-8''a%22b.pdf; filename=\"a_b.pdf\"\r\n"},
		{"a  b", "D: attachment; filename*=utf-8''a%20%20b; filename=\"a__b\"\r\n"},
		{X50 X50 ".tar.gz", "D: attachment;\r\n"
				    " filename*0*=utf-8''" X50 "xx;\r\n"
				    " filename*1*=" X48 ".tar;\r\n"
				    " filename*2*=.gz;\r\n"
				    " filename=\"" X50 "xx.gz\"\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};
		struct header h;

		header_begin(&h, &out, "D");
		header_token(&h, "attachment", 10);
		param_write(&h, "filename", rows[i].name);
		header_end(&h);
		assert_string_equal(buf_text(&out), rows[i].lines);
		buf_deinit(&out);
	}
}

static void the_longest_file_name_is_folded_too(void **state)
{
	static const char *const units[] = {"😀", "x😀", "€", "%"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char name[PARAM_VALUE_MAX + 1];
		size_t n = strlen(units[i]);
		struct buf out = {0};
		struct header h;

		for (size_t k = 0; k < PARAM_VALUE_MAX; k++)
			name[k] = units[i][k % n];
		name[PARAM_VALUE_MAX] = 0;
		header_begin(&h, &out, "Content-Disposition");
		header_token(&h, "inline", 6);
		param_write(&h, "filename", name);
		header_end(&h);
		check_folds(&out, 78);
		for (const char *p = strstr(out.data, "*=%"); p; p = strstr(p + 1, "*=%"))
			assert_null(strchr("89AB", p[3]));
		buf_deinit(&out);
	}
}

UNIT_TESTS(cmocka_unit_test(unstructured_values_are_encoded_only_where_they_must_be),
	   cmocka_unit_test(long_subjects_are_folded_below_78_and_split_no_character),
	   cmocka_unit_test(only_the_last_base64_word_has_padding),
	   cmocka_unit_test(structured_values_are_folded_at_blanks_commas_and_between_ids),
	   cmocka_unit_test(a_long_name_and_word_stay_below_998),
	   cmocka_unit_test(display_names_never_leak_into_the_address),
	   cmocka_unit_test(five_hundred_recipients_are_folded_at_commas),
	   cmocka_unit_test(the_longest_address_stays_on_the_line_of_the_field_name),
	   cmocka_unit_test(file_names_are_plain_where_that_is_safe_and_rfc_2231_elsewhere),
	   cmocka_unit_test(the_longest_file_name_is_folded_too))
