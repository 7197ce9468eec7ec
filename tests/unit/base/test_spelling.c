/* The distance between two words. */
#include <string.h>

#include "server/base/spelling.h"
#include "tests/unit/unit.h"

static void the_distance_counts_inserted_removed_and_replaced_octets(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} rows[] = {
		{"", "", 0},    {"html", "html", 0}, {"htlm", "html", 2},  {"", "abc", 3},
		{"abc", "", 3}, {"to", "too", 1},    {"serve", "srve", 1}, {"kitten", "sitting", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(spelling_distance(rows[i].a, rows[i].b), rows[i].distance);
		assert_int_equal(spelling_distance(rows[i].b, rows[i].a), rows[i].distance);
	}
}

static void a_long_word_is_far_from_each_other(void **state)
{
	char word[SPELLING_MAX + 2];

	(void)state;
	memset(word, 'a', SPELLING_MAX + 1);
	word[SPELLING_MAX + 1] = 0;
	assert_int_equal(spelling_distance("a", word), SPELLING_MAX);
	assert_int_equal(spelling_distance(word, "a"), SPELLING_MAX);
}

UNIT_TESTS(cmocka_unit_test(the_distance_counts_inserted_removed_and_replaced_octets),
	   cmocka_unit_test(a_long_word_is_far_from_each_other))
