/* Content types: what is accepted, and how it is written. */
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/content_type.h"
#include "server/mail/header.h"
#include "tests/unit/unit.h"

static void good_content_types_are_written_in_one_form(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"application/vnd.x+json", "Content-Type: application/vnd.x+json\r\n"},
		{"text/calendar; method=REQUEST; charset=UTF-8",
		 "Content-Type: text/calendar; method=REQUEST; charset=UTF-8\r\n"},
		{"text/csv;charset=utf-8 ;  header = present",
		 "Content-Type: text/csv; charset=utf-8; header=present\r\n"},
		{"application/pdf; name=\"x; \\\"y\\\".pdf\"",
		 "Content-Type: application/pdf; name=\"x; \\\"y\\\".pdf\"\r\n"},
		{"text/plain;", "Content-Type: text/plain\r\n"},
		{"text/plain; charset=\"utf-8\";; format=flowed ; ",
		 "Content-Type: text/plain; charset=\"utf-8\"; format=flowed\r\n"},
		{"application/pdf; name*=utf-8''%C3%A4.pdf",
		 "Content-Type: application/pdf; name*=utf-8''%C3%A4.pdf\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};
		struct header h;
		struct err e;

		if (content_type_check(rows[i].text, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		header_begin(&h, &out, "Content-Type");
		content_type_write(&h, rows[i].text);
		header_end(&h);
		assert_string_equal(buf_text(&out), rows[i].line);
		buf_deinit(&out);
	}
}

static void bad_content_types_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"text",
		"text/",
		"/html",
		"a b/c",
		"text/h/x",
		"multipart/mixed",
		"multipart/alternative; boundary=x",
		"Message/RFC822",
		"t\xc3\xa4/x",
		"text/html\r\nX:",
		"text/html; a",
		"text/html; =b",
		"text/html; a=",
		"text/html; a=\"b",
		"text/html; a=\"b\\",
		"text/html; a=\"b\"c",
		"text/html; a=b c=d",
		"text/html a=b",
		"text/html; a=b; A=c",
		"text/html; a=b\r\nX-Evil: 1",
		"text/html; a=\"b\r\n\"",
		"text/html; a=\xc3\xa4",
		"text/html; a=\"\xc3\xa4\"",
		"text/html; a=<b>",
		"text/html; a=b(c)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (content_type_check(bad[i], NULL) == 0)
			fail_msg("accepted: %s", bad[i]);
}

static void a_content_type_is_bounded(void **state)
{
	char text[CONTENT_TYPE_MAX + 2] = "text/plain; a=";

	(void)state;
	memset(text + 14, 'x', CONTENT_TYPE_MAX + 1 - 14);
	assert_int_equal(content_type_check(text, NULL), -1);
	text[CONTENT_TYPE_MAX] = 0;
	assert_int_equal(content_type_check(text, NULL), 0);
}

static void parameters_are_found_in_any_case(void **state)
{
	(void)state;
	assert_true(content_type_has("text/csv; x=1; CharSet=utf-8", "charset"));
	assert_false(content_type_has("text/csv; x=\"; charset=\"", "charset"));
	assert_true(content_type_is("Text/csv", "text"));
	assert_false(content_type_is("textual/csv", "text"));
}

UNIT_TESTS(cmocka_unit_test(good_content_types_are_written_in_one_form),
	   cmocka_unit_test(bad_content_types_are_refused),
	   cmocka_unit_test(a_content_type_is_bounded),
	   cmocka_unit_test(parameters_are_found_in_any_case))
