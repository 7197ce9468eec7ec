/* Decimal numbers of bounded size. */
#include <string.h>

#include "server/base/number.h"
#include "tests/unit/unit.h"

static void a_whole_number_within_its_bounds_is_read_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max, value; /* -1: refused */
	} rows[] = {
		{"0", 0, 9, 0},
		{"9", 0, 9, 9},
		{"10", 0, 9, -1},
		{"007", 1, 9, 7},
		{"0", 1, 9, -1},
		{"65535", 1, 65535, 65535},
		{"65536", 1, 65535, -1},
		{"9223372036854775807", 0, INT64_MAX, INT64_MAX},
		{"9223372036854775808", 0, INT64_MAX, -1},
		{"99999999999999999999999", 0, INT64_MAX, -1},
		{"", 0, 9, -1},
		{"-1", 0, 9, -1},
		{"+1", 0, 9, -1},
		{" 1", 0, 9, -1},
		{"1 ", 0, 9, -1},
		{"1x", 0, 9, -1},
		{"0x1", 0, 9, -1},
		{"1.0", 0, 9, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t n = -1;
		int rc = number_parse(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max,
				      &n);

		assert_int_equal(rc, rows[i].value < 0 ? -1 : 0);
		assert_int_equal(n, rows[i].value);
	}
}

static void the_digits_at_the_front_are_counted(void **state)
{
	int64_t n = -1;

	(void)state;
	assert_int_equal(number_read("48h", 3, INT64_MAX, &n), 2);
	assert_int_equal(n, 48);
	assert_int_equal(number_read("1234", 2, INT64_MAX, &n), 2);
	assert_int_equal(n, 12);
	assert_int_equal(number_read("h", 1, INT64_MAX, &n), 0);
	assert_int_equal(number_read("101", 3, 100, &n), 0);
	assert_int_equal(n, 12);
}

UNIT_TESTS(cmocka_unit_test(a_whole_number_within_its_bounds_is_read_and_nothing_else),
	   cmocka_unit_test(the_digits_at_the_front_are_counted))
