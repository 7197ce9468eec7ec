/* Positions in lists as texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/store/messages/cursor.h"
#include "server/redis/partitions.h"
#include "server/store/messages/list.h"
#include "tests/unit/unit.h"

static void positions_come_back_from_their_text(void **state)
{
	static const struct {
		struct cursor_position positions[3];
		unsigned n;
		const char *text;
	} rows[] = {
		{{{0}}, 1, "0_"},
		{{{35, 0, 0}}, 1, "z_0"},
		{{{36, 5, 0}}, 1, "10_0.5"},
		{{{36, 0, 7}}, 1, "10_0.0.7"},
		{{{100, 1, 2}, {0}, {99, 0, 0}}, 3, "2s_0.1.2__1"},
		{{{0}, {0}, {1795421700123, 36, 36}}, 3, "mwszq23f___0.10.10"},
		{{{1, 131621703842267135, 60466175}}, 1, "1_0.zzzzzzzzzzz.zzzzz"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cursor_position read[3] = {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}};
		struct buf text = {0};

		cursor_write(rows[i].positions, rows[i].n, &text);
		assert_string_equal(buf_text(&text), rows[i].text);
		assert_int_equal(cursor_read(buf_text(&text), read, rows[i].n), 0);
		for (unsigned p = 0; p < rows[i].n; p++) {
			assert_int_equal(read[p].at, rows[i].positions[p].at);
			assert_int_equal(read[p].index, rows[i].positions[p].index);
			assert_int_equal(read[p].part, rows[i].positions[p].part);
		}
		buf_deinit(&text);
	}
}

static void other_texts_are_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} rows[] = {
		{"", 1},
		{"_", 1},
		{"0", 1},
		{"5", 1},
		{"0__", 1},
		{"0_", 2},
		{"5_0_", 1},
		{"5_0", 2},
		{"5_1", 1}, /* the latest is at the latest */
		{"5_5", 1},
		{"5_6", 1},
		{"5_0.0", 1},
		{"5_0.1.0", 1},
		{"5_00", 1},
		{"05_0", 1},
		{"5_0.", 1},
		{"5_.1", 1},
		{"5_0.1.", 1},
		{"5_0.1.2.3", 1},
		{"5_-0", 1},
		{"5_0 ", 1},
		{" 5_0", 1},
		{"5_0x_", 1},
		{"A_0", 1},
		{"5_0.zzzzzzzzzzzz", 1},
		{"zzzzzzzzzzzz_0", 1},
		{"5_0.1.zzzzzz", 1},
		{"1.2", 1},
		{"1700000000000.0.1", 1},
		{"5_0\n", 1},
		{"5-0", 1},
	};
	struct cursor_position read[2];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (cursor_read(rows[i].text, read, rows[i].n) == 0)
			fail_msg("taken: \"%s\"", rows[i].text);
}

static void positions_by_time_fit_into_a_cursor(void **state)
{
	static struct cursor_position all[LIST_BY_TIME_MAX], read[LIST_BY_TIME_MAX];
	const struct partitions same = {.n = LIST_BY_TIME_MAX}, fewer = {.n = LIST_BY_TIME_MAX - 1};
	struct buf text = {0};

	(void)state;
	for (unsigned p = 0; p < LIST_BY_TIME_MAX; p++)
		all[p] = (struct cursor_position){498728 - p * 10, 2000000000 + p, 0};
	list_cursor_write(all, LIST_BY_TIME_MAX, &text);
	assert_in_range(text.len, 1, CURSOR_MAX_BYTES);
	assert_int_equal(list_cursor_read(buf_text(&text), &same, read), LIST_BY_TIME_MAX);
	assert_memory_equal(all, read, sizeof(all));
	assert_int_equal(list_cursor_read(buf_text(&text), &fewer, read), 0);
	buf_deinit(&text);
}

static void positions_by_partition_have_a_short_text(void **state)
{
	static struct cursor_position all[ID_PARTITIONS], read[ID_PARTITIONS];
	const struct partitions same = {.n = ID_PARTITIONS}, fewer = {.n = 700};
	struct buf text = {0};

	(void)state;
	for (unsigned p = 0; p < ID_PARTITIONS; p++)
		all[p] = (struct cursor_position){p < 700 ? 498720 - p % 3 : 498728, 9 + p, 0};
	list_cursor_write(all, ID_PARTITIONS, &text);
	assert_in_range(text.len, 1, 40);
	assert_int_equal(list_cursor_read(buf_text(&text), &same, read), ID_PARTITIONS);
	for (unsigned p = 0; p < ID_PARTITIONS; p++) {
		assert_int_equal(read[p].at, p < 700 ? 498727 : 498728);
		assert_int_equal(read[p].index, p == 700 ? 709 : 0);
		assert_int_equal(read[p].part, 0);
	}
	assert_int_equal(list_cursor_read(buf_text(&text), &fewer, read), 0);
	assert_int_equal(list_cursor_read("0_", &same, read), 0);
	buf_deinit(&text);
}

/* steps: the numbers that the store had. */
static void a_listing_goes_on_with_the_partitions_that_it_began_with(void **state)
{
	static const struct {
		unsigned steps[3], n, of_cursor, listed;
	} rows[] = {
		{{1, 8}, 8, 1, 1},    {{1, 8}, 8, 8, 8},      {{1, 8}, 8, 4, 0},
		{{1, 8}, 64, 64, 64}, {{1, 8}, 64, 8, 8},     {{2, 64}, 64, 2, 2},
		{{2, 64}, 64, 3, 0},  {{50, 64}, 64, 50, 64},
	};
	static struct cursor_position at[64], read[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct partitions all = {.n = rows[i].n, .n_steps = 2};
		struct buf text = {0};

		for (unsigned s = 0; s < 2; s++)
			all.steps[s].n = rows[i].steps[s];
		for (unsigned p = 0; p < rows[i].of_cursor; p++)
			at[p] = (struct cursor_position){498728, 7, 0};
		list_cursor_write(at, rows[i].of_cursor, &text);
		assert_int_equal(list_cursor_read(buf_text(&text), &all, read), rows[i].listed);
		buf_deinit(&text);
	}
}

UNIT_TESTS(cmocka_unit_test(positions_come_back_from_their_text),
	   cmocka_unit_test(other_texts_are_refused),
	   cmocka_unit_test(positions_by_time_fit_into_a_cursor),
	   cmocka_unit_test(positions_by_partition_have_a_short_text),
	   cmocka_unit_test(a_listing_goes_on_with_the_partitions_that_it_began_with))
