/* Reading enhanced status codes. */
#include "server/route/enhanced.h"
#include "tests/unit/unit.h"

#include <string.h>

static void a_code_stands_at_the_begin_and_ends_at_a_space(void **state)
{
	static const struct {
		const char *text;
		struct enhanced code; /* class 0 = none */
	} cases[] = {
		{"5.1.1 no such user", {5, 1, 1}},
		{"2.0.0", {2, 0, 0}},
		{"4.7.123 later", {4, 7, 123}},
		{"5.999.10 odd", {5, 999, 10}},
		{"", {0}},
		{"no such user 5.1.1", {0}},
		{"3.1.1 a class that does not exist", {0}},
		{"15.1.1 two digits", {0}},
		{"5.1234.1 four digits", {0}},
		{"5.1.1234 four digits", {0}},
		{"5.1.1.9 an address", {0}},
		{"5.1.1: a colon", {0}},
		{"5..1 empty", {0}},
		{"5.1. empty", {0}},
		{"5.1", {0}},
		{"5", {0}},
		{" 5.1.1 a blank", {0}},
		{"5.-1.1 signs", {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct enhanced e = {9, 9, 9};
		bool is_found = enhanced_parse(cases[i].text, strlen(cases[i].text), &e);

		if (is_found != (cases[i].code.class != 0) ||
		    memcmp(&e, &cases[i].code, sizeof(e)) != 0)
			fail_msg("%s: %d.%d.%d", cases[i].text, e.class, e.subject, e.detail);
	}
}

static void nothing_is_read_after_the_end(void **state)
{
	struct enhanced e;

	(void)state;
	for (size_t len = 0; len < 5; len++)
		assert_false(enhanced_parse("5.1.1", len, &e));
	assert_true(enhanced_parse("5.1.11", 5, &e));
	assert_int_equal(e.detail, 1);
}

UNIT_TESTS(cmocka_unit_test(a_code_stands_at_the_begin_and_ends_at_a_space),
	   cmocka_unit_test(nothing_is_read_after_the_end))
