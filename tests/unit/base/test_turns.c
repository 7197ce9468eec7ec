/* Items of several tenants that wait: their order. */
#include <string.h>

#include "server/base/turns.h"
#include "tests/unit/unit.h"

static struct turns_item items[12];

static void add(struct turns *t, const char *tenants)
{
	for (size_t i = 0; i < strlen(tenants); i++)
		assert_int_equal(turns_add(t, &items[i], (const char[]){tenants[i], 0}), 0);
}

static void assert_order(struct turns *t, const char *order)
{
	for (; *order; order++)
		assert_int_equal(turns_take(t) - items, *order - '0');
	assert_null(turns_first(t));
	assert_null(t->last);
	assert_int_equal(t->n_lines, 0);
}

static void tenants_take_turns(void **state)
{
	static const struct {
		const char *tenants, *order;
	} rows[] = {
		{"", ""},
		{"a", "0"},
		{"aaa", "012"},
		{"abc", "012"},
		{"aaab", "0312"},
		{"aaabb", "03142"},
		{"abcabc", "012345"},
		{"aabbcc", "024135"},
		{"aaaabc", "045123"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct turns t = {0};

		add(&t, rows[i].tenants);
		assert_order(&t, rows[i].order);
	}
}

static void a_tenant_that_comes_again_is_the_last(void **state)
{
	struct turns t = {0};

	(void)state;
	add(&t, "ab");
	assert_ptr_equal(turns_take(&t), &items[0]);
	turns_add(&t, &items[2], "a");
	assert_order(&t, "12");
}

static void a_line_that_passes_keeps_its_items(void **state)
{
	struct turns t = {0};

	(void)state;
	add(&t, "aabc");
	turns_pass(&t);
	assert_ptr_equal(turns_first(&t), &items[2]);
	assert_order(&t, "2301");
}

static void an_item_can_be_removed_from_any_place(void **state)
{
	static const struct {
		const char *tenants, *removed, *order;
	} rows[] = {
		{"a", "0", ""},           {"aaa", "0", "12"},   {"aaa", "1", "02"},
		{"aaa", "2", "01"},       {"abc", "0", "12"},   {"abc", "1", "02"},
		{"abc", "2", "01"},       {"aabb", "01", "23"}, {"aabb", "23", "01"},
		{"aabbcc", "24", "0351"}, {"abc", "11", "02"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct turns t = {0};

		add(&t, rows[i].tenants);
		for (const char *p = rows[i].removed; *p; p++)
			turns_remove(&t, &items[*p - '0'],
				     (const char[]){rows[i].tenants[*p - '0'], 0});
		assert_order(&t, rows[i].order);
	}
}

static void an_item_after_a_removed_one_is_the_last_of_its_line(void **state)
{
	struct turns t = {0};

	(void)state;
	add(&t, "aa");
	turns_remove(&t, &items[1], "a");
	turns_add(&t, &items[2], "a");
	assert_order(&t, "02");
}

UNIT_TESTS(cmocka_unit_test(tenants_take_turns),
	   cmocka_unit_test(a_tenant_that_comes_again_is_the_last),
	   cmocka_unit_test(a_line_that_passes_keeps_its_items),
	   cmocka_unit_test(an_item_can_be_removed_from_any_place),
	   cmocka_unit_test(an_item_after_a_removed_one_is_the_last_of_its_line))
