/* The connections of a relay among its tenants: who may open more, and what is left for others. */
#include <stdio.h>
#include <string.h>

#include "server/base/buf.h"
#include "smtp/limits/shares.h"
#include "tests/unit/unit.h"

#define TENANTS 80

struct bench {
	struct shares shares;
	struct share *of[TENANTS]; /* NULL = holds none */
};

static void open_one(struct bench *b, int tenant)
{
	char name[8];

	snprintf(name, sizeof(name), "%d", tenant);
	b->of[tenant] = shares_add(&b->shares, name);
	assert_non_null(b->of[tenant]);
}

static unsigned held(const struct bench *b, int tenant)
{
	return b->of[tenant] ? b->of[tenant]->n : 0;
}

static bool is_capped(const struct bench *b, int tenant)
{
	return b->of[tenant] && shares_is_capped(&b->shares, b->of[tenant]);
}

static int find_next(const bool *is_out, int at, int first, int n)
{
	for (int i = 0; i < n; i++, at++)
		if (!is_out[first + at % n])
			return first + at % n;
	return -1;
}

/* What the tenants get if each of them wants all. They take turns, in steps as a relay takes them:
 * who is capped is known at the start of a step. */
static void fill(struct bench *b, int first, int n)
{
	int turn = 0, tenant = 0;

	while (tenant >= 0) {
		struct shares_step step = shares_step(&b->shares);
		bool is_out[TENANTS];

		for (int i = first; i < first + n; i++)
			is_out[i] = is_capped(b, i);
		tenant = -1;
		for (unsigned left = step.any + step.otp; left; left--) {
			tenant = find_next(is_out, turn++, first, n);
			if (tenant < 0)
				break;
			open_one(b, tenant);
		}
	}
}

static void empty(struct bench *b)
{
	for (int i = 0; i < TENANTS; i++)
		while (held(b, i)) {
			bool is_last = b->of[i]->n == 1;

			shares_drop(&b->shares, b->of[i]);
			if (is_last)
				b->of[i] = NULL;
		}
	assert_int_equal(b->shares.n, 0);
	assert_int_equal(b->shares.n_tenants, 0);
	assert_null(b->shares.first);
}

static void each_of_n_tenants_gets_three_parts_of_3n_plus_1(void **state)
{
	static const struct {
		int n;
		unsigned least, most; /* of each tenant, of 200 */
	} rows[] = {{1, 140, 165}, {2, 75, 90}, {3, 54, 62}, {10, 16, 20}, {30, 4, 7}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b = {.shares = {.limit = 200}};

		fill(&b, 0, rows[i].n);
		for (int t = 0; t < rows[i].n; t++)
			assert_in_range(held(&b, t), rows[i].least, rows[i].most);
		assert_true(shares_room(&b.shares) >= 1);
		empty(&b);
	}
}

static void a_tenant_without_a_connection_finds_one_whatever_the_others_hold(void **state)
{
	static const unsigned limits[] = {4, 8, 20, 200, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct bench b = {.shares = {.limit = limits[i]}};
		struct shares_step step;

		fill(&b, 0, 1);
		step = shares_step(&b.shares);
		assert_true(held(&b, 0) > 0 && step.any + step.otp > 0);
		assert_true(is_capped(&b, 0));
		assert_false(is_capped(&b, 1));
		empty(&b);
	}
}

static void tenants_that_come_one_after_the_other_each_find_some(void **state)
{
	struct bench b = {.shares = {.limit = 200}};

	(void)state;
	for (int i = 0; i < 20; i++) {
		fill(&b, i, 1);
		assert_true(held(&b, i) > 0 || shares_room(&b.shares) == 0);
		assert_true(i > 3 || held(&b, i) >= 2);
	}
	empty(&b);
}

static void the_last_connections_are_for_lane_otp(void **state)
{
	static const struct {
		unsigned limit, reserve;
	} rows[] = {{1, 0}, {7, 0}, {8, 1}, {16, 2}, {31, 2}, {32, 2}, {48, 3}, {200, 12}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b = {.shares = {.limit = rows[i].limit}};

		for (int t = 0; shares_step(&b.shares).any; t = (t + 1) % TENANTS)
			open_one(&b, t);
		assert_int_equal(shares_room(&b.shares), rows[i].reserve);
		assert_int_equal(shares_step(&b.shares).otp, (rows[i].reserve + 3) / 4);
		empty(&b);
	}
}

static void without_room_those_with_their_fair_part_are_capped(void **state)
{
	struct bench b = {.shares = {.limit = 10}};

	(void)state;
	for (int i = 0; i < 10; i++)
		open_one(&b, i < 4 ? 0 : i < 8 ? 1 : 2);
	assert_int_equal(shares_room(&b.shares), 0);
	assert_true(is_capped(&b, 0) && is_capped(&b, 1)); /* 4 of 10 / 3 */
	assert_false(is_capped(&b, 2) || is_capped(&b, 3));
	empty(&b);
}

static void capped_tenants_are_written_with_blanks(void **state)
{
	struct bench b = {.shares = {.limit = 8}};
	struct buf out = {0};

	(void)state;
	shares_write_capped(&b.shares, &out);
	assert_string_equal(buf_text(&out), "");
	for (int i = 0; i < 4; i++) {
		open_one(&b, 0);
		open_one(&b, 7);
	}
	shares_write_capped(&b.shares, &out);
	assert_string_equal(buf_text(&out), "7 0 ");
	buf_deinit(&out);
	empty(&b);
}

static void more_than_the_limit_leaves_no_room(void **state)
{
	struct bench b = {.shares = {.limit = 2}};

	(void)state;
	for (int i = 0; i < 5; i++)
		open_one(&b, i);
	assert_int_equal(shares_room(&b.shares), 0);
	assert_int_equal(shares_step(&b.shares).any, 0);
	empty(&b);
}

UNIT_TESTS(cmocka_unit_test(each_of_n_tenants_gets_three_parts_of_3n_plus_1),
	   cmocka_unit_test(a_tenant_without_a_connection_finds_one_whatever_the_others_hold),
	   cmocka_unit_test(tenants_that_come_one_after_the_other_each_find_some),
	   cmocka_unit_test(the_last_connections_are_for_lane_otp),
	   cmocka_unit_test(without_room_those_with_their_fair_part_are_capped),
	   cmocka_unit_test(capped_tenants_are_written_with_blanks),
	   cmocka_unit_test(more_than_the_limit_leaves_no_room))
