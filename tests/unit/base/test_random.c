/* Random numbers: within their bounds, and over all of them. */

#include "server/base/random.h"
#include "tests/unit/unit.h"

static void a_number_is_below_its_bound_and_each_one_comes(void **state)
{
	unsigned seen[7] = {0};

	(void)state;
	for (int i = 0; i < 7000; i++) {
		uint32_t n = random_below(7);

		assert_in_range(n, 0, 6);
		seen[n]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 700, 1300);
	assert_int_equal(random_below(1), 0);
}

static void jitter_stays_within_its_percentage_and_reaches_both_sides(void **state)
{
	static const struct {
		int64_t value;
		unsigned percent;
		int64_t least, most;
	} rows[] = {
		{300000, 20, 240000, 360000},
		{100, 25, 75, 125},
		{10, 100, 0, 20},
		{5000, 0, 5000, 5000},
		{0, 20, 0, 0},
		{INT64_MAX / 4, 20, INT64_MAX / 5, INT64_MAX / 10 * 3 + 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t middle = rows[i].least + (rows[i].most - rows[i].least) / 2;
		int below = 0, above = 0;

		for (int k = 0; k < 200; k++) {
			int64_t n = random_jitter(rows[i].value, rows[i].percent);

			assert_true(n >= rows[i].least && n <= rows[i].most);
			below += n < middle;
			above += n > middle;
		}
		assert_int_equal(below > 0, rows[i].least != rows[i].most);
		assert_int_equal(above > 0, rows[i].least != rows[i].most);
	}
}

UNIT_TESTS(cmocka_unit_test(a_number_is_below_its_bound_and_each_one_comes),
	   cmocka_unit_test(jitter_stays_within_its_percentage_and_reaches_both_sides))
