/* Addresses: what is taken, in which form it comes out, and every refusal with its reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/mail/address.h"
#include "tests/unit/unit.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A63 "a"

static void taken_addresses_come_out_in_one_form(void **state)
{
	static const struct {
		const char *text, *email, *name;
	} rows[] = {
		{"user@example.com", "user@example.com", ""},
		{"  user@example.com ", "user@example.com", ""},
		{"User@EXAMPLE.Com", "User@example.com", ""},
		{"<user@example.com>", "user@example.com", ""},
		{"Shop <orders@shop.example>", "orders@shop.example", "Shop"},
		{"Shop<orders@shop.example>", "orders@shop.example", "Shop"},
		{"John Q. Public <j@x.test>", "j@x.test", "John Q. Public"},
		{"\"Miller, Hans\" <h@x.test>", "h@x.test", "Miller, Hans"},
		{"\"a \\\"b\\\" \\\\ <c@d>\" <h@x.test>", "h@x.test", "a \"b\" \\ <c@d>"},
		{"\"\" <h@x.test>", "h@x.test", ""},
		{"\"   \" <h@x.test>", "h@x.test", ""},
		{"Jürgen 😀 <j@x.test>", "j@x.test", "Jürgen 😀"},
		{"=?utf-8?q?x?= <j@x.test>", "j@x.test", "=?utf-8?q?x?="},
		{"a.b+c!#$%&'*-/=^_?`{|}~@x.test", "a.b+c!#$%&'*-/=^_?`{|}~@x.test", ""},
		{"u@xn--exmple-cua.test", "u@xn--exmple-cua.test", ""},
		{"u@XN--EXMPLE-CUA.test", "u@xn--exmple-cua.test", ""},
		{"u@exämple.test", "u@xn--exmple-cua.test", ""},
		{"u@EXÄMPLE.test", "u@xn--exmple-cua.test", ""},
		{"u@exa\u0308mple.test", "u@xn--exmple-cua.test", ""},
		{"u@münchen.de", "u@xn--mnchen-3ya.de", ""},
		{"u@faß.test", "u@xn--fa-hia.test", ""},
		{"u@exam\u00ADple.test", "u@example.test", ""},
		{"u@example\u3002test", "u@example.test", ""},
		{"u@例子.test", "u@xn--fsqu00a.test", ""},
		{"u@r3---sn.test", "u@r3---sn.test", ""},
		{"u@1.2.3.4.test", "u@1.2.3.4.test", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err e = {0};

		if (address_parse(rows[i].text, strlen(rows[i].text), &a, &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_string_equal(a.email, rows[i].email);
		assert_string_equal(a.name, rows[i].name);
	}
}

struct refused {
	const char *text;
	const char *reason; /* part of the sentence */
};

static void check_refused(const struct refused *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct address a = {.email = "untouched"};
		struct err e = {0};

		if (!address_parse(rows[i].text, strlen(rows[i].text), &a, &e))
			fail_msg("taken: %s as %s", rows[i].text, a.email);
		assert_int_equal(e.kind, ERR_INPUT);
		if (!strstr(e.text, rows[i].reason))
			fail_msg("%s: expected \"%s\", got \"%s\"", rows[i].text, rows[i].reason,
				 e.text);
		assert_string_equal(a.email, "untouched");
	}
}
#define CHECK_REFUSED(rows) check_refused(rows, sizeof(rows) / sizeof((rows)[0]))

static void a_line_break_is_refused_wherever_it_stands(void **state)
{
	static const char *const breaks[] = {"\r\n", "\n",     "\r",     "\t",      "\x7f",
					     "\x01", "\u2028", "\u2029", "\xc2\x85"};
	static const char *const forms[] = {
		"a@x.test>%sRCPT TO:<evil@y.test",
		"a%sb@x.test",
		"a@x%s.test",
		"a@x.test%s",
		"%sa@x.test",
		"N%s <a@x.test>",
		"\"N%s\" <a@x.test>",
		"N <a@x.test%s>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (size_t k = 0; k < sizeof(breaks) / sizeof(breaks[0]); k++) {
			const char *at = strstr(forms[i], "%s");
			char text[128];
			struct address a;
			int len = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - forms[i]),
					   forms[i], breaks[k], at + 2);

			assert_int_equal(address_parse(text, (size_t)len, &a, NULL), -1);
		}
	}
}

static void a_nul_is_refused_wherever_it_stands(void **state)
{
	static const char text[] = "Name <user@example.com>";

	(void)state;
	for (size_t i = 0; i <= sizeof(text) - 1; i++) {
		char with[sizeof(text) + 1];
		struct address a;

		memcpy(with, text, i);
		with[i] = 0;
		memcpy(with + i + 1, text + i, sizeof(text) - 1 - i);
		assert_int_equal(address_parse(with, sizeof(text), &a, NULL), -1);
	}
}

static void quoted_local_parts_and_second_ats_are_refused(void **state)
{
	static const struct refused rows[] = {
		{"\"victim@good.test x\"@evil.test", "quoted local parts"},
		{"\"a\"@evil.com\"@good.com", "quoted local parts"},
		{"\"a b\"@x.test", "quoted local parts"},
		{"\"\"@x.test", "quoted local parts"},
		{"a\\ b@x.test", "quoted local parts"},
		{"a@b@x.test", "exactly one @"},
		{"N <a@b.test@x.test>", "exactly one @"},
		{"\"N\" x <a@x.test>", "whole name"},
		{"\"N <a@x.test>", "whole name"},
		{"\"N\\\" <a@x.test>", "whole name"},
	};

	(void)state;
	CHECK_REFUSED(rows);
}

static void comments_folding_groups_lists_and_routes_are_refused(void **state)
{
	static const struct refused rows[] = {
		{"user@good.test(x).evil.test", "comments"},
		{"user@good .evil.test", "spaces"},
		{"(a(b)c)user@x.test", "comments"},
		{"us er@x.test", "spaces"},
		{"user @x.test", "spaces"},
		{"user@ x.test", "spaces"},
		{"N < a@x.test>", "spaces"},
		{"user\r\n @x.test", "line breaks"},
		{"N (c) <a@x.test>", "quotation marks"},
		{"Team: a@x.test, b@y.test;", "colon"},
		{"\"a;b\": a@x.test;", "quoted local"},
		{"a@x.test, b@y.test", "exactly one address"},
		{"a@x.test;", "exactly one address"},
		{"a@x.test, B <b@y.test>", "exactly one address"},
		{"A <a@x.test>, B <b@y.test>", "exactly one address"},
		{"<@relay.test:user@x.test>", "colon"},
		{"<a@x.test> junk", "angle brackets"},
		{"<<a@x.test>>", "angle brackets"},
		{"a@x.test>", "angle brackets"},
		{"<a@x.test", "angle brackets"},
	};

	(void)state;
	CHECK_REFUSED(rows);
}

static void encoded_words_and_non_ascii_local_parts_are_refused(void **state)
{
	static const struct refused rows[] = {
		{"=?utf-8?q?a=40evil.test=3e?=@good.test", "encoded words"},
		{"用户@例子.test", "ASCII"},
		{"jürgen@x.test", "ASCII"},
	};

	(void)state;
	CHECK_REFUSED(rows);
}

/* libidn2 would delete some of these characters, and another domain would remain. */
static void invalid_international_domains_are_refused(void **state)
{
	static const struct refused rows[] = {
		{"u@a\u200Db.test", "international"}, {"u@xn--a.test", "international"},
		{"u@xn--.test", "international"},     {"u@\xff\xfe.test", "international"},
		{"u@\u0301a.test", "international"},  {"u@a\uFF0Fb.test", "character"},
		{"u@a\uFF20b.test", "character"},     {"u@ex_\u00e9.test", "character"},
		{"u@\u00ad.test", "empty label"},     {"u@é", "only one label"},
		{"u@a\u2028b.test", "international"}, {"u@é.１２", "number"},
		{"u@\xc3.test", "international"},
	};

	(void)state;
	CHECK_REFUSED(rows);
}

static void lengths_are_taken_to_the_limit_and_not_beyond(void **state)
{
	static const struct {
		size_t local, domain;
		const char *reason; /* NULL: taken */
	} rows[] = {
		{64, 10, NULL},
		{65, 10, "longer than 64"},
		{1, 252, NULL},
		{1, 253, "longer than 254"},
		{1, 254, "longer than 253"},
		{64, 189, NULL},
		{64, 190, "longer than 254"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];
		size_t len = rows[i].local + 1 + rows[i].domain;
		struct address a;
		struct err e = {0};

		for (size_t k = 0; k < len; k++)
			text[k] = k > rows[i].local && (len - k) % 8 == 0 ? '.' : 'a';
		text[rows[i].local] = '@';
		text[rows[i].local + 1] = 'a';
		if (rows[i].reason) {
			assert_int_equal(address_parse(text, len, &a, &e), -1);
			assert_non_null(strstr(e.text, rows[i].reason));
		} else {
			assert_int_equal(address_parse(text, len, &a, &e), 0);
			assert_int_equal(strlen(a.email), len);
		}
	}
}

static void labels_have_at_most_63_octets(void **state)
{
	static const struct refused rows[] = {
		{"u@" A64 ".test", "63"},
		{"u@ä" A63 ".test", "international"},
	};
	struct address a;

	(void)state;
	CHECK_REFUSED(rows);
	assert_int_equal(address_parse("u@" A63 ".test", 70, &a, NULL), 0);
}

static void odd_dots_literals_numbers_and_ports_are_refused(void **state)
{
	static const struct refused rows[] = {
		{".a@x.test", "dot"},
		{"a.@x.test", "dot"},
		{"a..b@x.test", "two dots"},
		{"a@x.test.", "empty label"},
		{"a@.x.test", "empty label"},
		{"a@x..test", "empty label"},
		{"a@", "empty"},
		{"@x.test", "empty"},
		{"@", "empty"},
		{"", "empty"},
		{"   ", "empty"},
		{"<>", "form"},
		{">", "angle"},
		{"postmaster", "form"},
		{"a@localhost", "only one label"},
		{"u@[127.0.0.1]", "literals"},
		{"u@[IPv6:::1]", "literals"},
		{"u@127.0.0.1", "number"},
		{"u@2130706433", "number"},
		{"u@0x7f.1", "number"},
		{"u@1.0x7F", "number"},
		{"u@x.test:2525", "colon"},
		{"u@x.test/..", "character"},
		{"u@x.test%25", "character"},
		{"u@x_y.test", "character"},
		{"u@-x.test", "hyphen"},
		{"u@x-.test", "hyphen"},
	};

	(void)state;
	CHECK_REFUSED(rows);
}

static void names_are_bounded_and_cannot_turn_the_writing_direction(void **state)
{
	char name[ADDRESS_NAME_MAX + 2];
	struct address a;

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(address_make("a@x.test", 8, name, ADDRESS_NAME_MAX, &a, NULL), 0);
	assert_int_equal(strlen(a.name), ADDRESS_NAME_MAX);
	assert_int_equal(address_make("a@x.test", 8, name, ADDRESS_NAME_MAX + 1, &a, NULL), -1);
	assert_int_equal(address_make("a@x.test", 8, "a\u202Eb", 5, &a, NULL), -1);
	assert_int_equal(address_make("<a@x.test>", 10, "N", 1, &a, NULL), -1);
	assert_int_equal(address_make(" a@x.test", 9, "N", 1, &a, NULL), -1);
	assert_int_equal(address_make("a@x.test", 8, NULL, 0, &a, NULL), 0);
	assert_string_equal(a.name, "");
	assert_string_equal(address_domain(&a), "x.test");
}

static void names_must_be_strict_utf_8(void **state)
{
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xe0\x80\x80",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xed\xbf\xbf",
					  "\xf0\x80\x80\x80",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xc3",
					  "\xe2\x82",
					  "\xf0\x9f\x98",
					  "\xc3(",
					  "\xff"};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(address_make("a@x.test", 8, bad[i], strlen(bad[i]), &a, NULL), -1);
	assert_int_equal(address_make("a@x.test", 8, "\xf4\x8f\xbf\xbf", 4, &a, NULL), 0);
}

static void a_hundred_kilobytes_of_parentheses_cost_nothing(void **state)
{
	static const char fill[] = {'(', ',', 'a', '.', '"', '\\', '<', '>', '@', ' '};
	size_t len = 100 * 1024;
	char *text = malloc(len);
	struct address a;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(fill); i++) {
		memset(text, fill[i], len);
		assert_int_equal(address_parse(text, len, &a, NULL), -1);
		assert_int_equal(address_parse(text, 2048, &a, NULL), -1);
	}
	free(text);
}

static void a_domain_alone_becomes_a_labels(void **state)
{
	char out[254] = "untouched";

	(void)state;
	assert_int_equal(address_domain_to_ascii("a b.test", 8, out, NULL), -1);
	assert_int_equal(address_domain_to_ascii("", 0, out, NULL), -1);
	assert_string_equal(out, "untouched");
	assert_int_equal(address_domain_to_ascii("MÜNCHEN.de", 11, out, NULL), 0);
	assert_string_equal(out, "xn--mnchen-3ya.de");
}

UNIT_TESTS(cmocka_unit_test(taken_addresses_come_out_in_one_form),
	   cmocka_unit_test(a_line_break_is_refused_wherever_it_stands),
	   cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
	   cmocka_unit_test(quoted_local_parts_and_second_ats_are_refused),
	   cmocka_unit_test(comments_folding_groups_lists_and_routes_are_refused),
	   cmocka_unit_test(encoded_words_and_non_ascii_local_parts_are_refused),
	   cmocka_unit_test(invalid_international_domains_are_refused),
	   cmocka_unit_test(lengths_are_taken_to_the_limit_and_not_beyond),
	   cmocka_unit_test(labels_have_at_most_63_octets),
	   cmocka_unit_test(odd_dots_literals_numbers_and_ports_are_refused),
	   cmocka_unit_test(names_are_bounded_and_cannot_turn_the_writing_direction),
	   cmocka_unit_test(names_must_be_strict_utf_8),
	   cmocka_unit_test(a_hundred_kilobytes_of_parentheses_cost_nothing),
	   cmocka_unit_test(a_domain_alone_becomes_a_labels))
