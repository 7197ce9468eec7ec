/* Positions in the event log as texts, and their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/store/messages/event_cursor.h"
#include "tests/unit/unit.h"

static void positions_come_back_from_their_text(void **state)
{
	static const struct {
		struct event_cursor cursor;
		const char *text;
	} rows[] = {
		{{{0, 0}, 0, 0}, "0_0_0_0"},
		{{{35, 36}, 0, 1}, "z_10_0_1"},
		{{{1795421700123, 7}, 1023, 36}, "mwszq23f_7_sf_10"},
		{{{131621703842267135, 131621703842267135}, 1, 60466175},
		 "zzzzzzzzzzz_zzzzzzzzzzz_1_zzzzz"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_cursor read = {{9, 9}, 9, 9};
		struct buf text = {0};

		event_cursor_write(&rows[i].cursor, &text);
		assert_string_equal(buf_text(&text), rows[i].text);
		assert_int_equal(event_cursor_read(buf_text(&text), ID_PARTITIONS, &read), 0);
		assert_int_equal(event_log_place_compare(&read.at, &rows[i].cursor.at), 0);
		assert_int_equal(read.partition, rows[i].cursor.partition);
		assert_int_equal(read.lines, rows[i].cursor.lines);
		buf_deinit(&text);
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"_",
		"0",
		"0_0_0",
		"0_0_0_",
		"0_0_0_0_",
		"0_0_0_0_0",
		"00_0_0_0",
		"0_00_0_0",
		"0_0_00_0",
		"0_0_0_00",
		"0_0_4_0",
		"0__0_0",
		"-1_0_0_0",
		"0_0_0_0 ",
		" 0_0_0_0",
		"A_0_0_0",
		"0.0.0.0",
		"0_0_0_zzzzzz",
		"zzzzzzzzzzzz_0_0_0",
		"0_zzzzzzzzzzzz_0_0",
	};
	struct event_cursor read = {{9, 9}, 9, 9};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (event_cursor_read(rows[i], 4, &read) == 0)
			fail_msg("taken: \"%s\"", rows[i]);
	assert_int_equal(read.partition, 9);
}

static void each_partition_continues_where_the_order_says(void **state)
{
	static const struct {
		unsigned lines;
		bool is_after[3]; /* partitions 0, 1, 2 of a cursor in partition 1 */
	} rows[] = {{0, {true, true, false}}, {5, {true, false, false}}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_cursor c = {{100, 2}, 1, rows[i].lines};

		for (unsigned p = 0; p < 3; p++) {
			struct event_log_from from = event_cursor_from(&c, p);

			assert_int_equal(from.partition, p);
			assert_int_equal(event_log_place_compare(&from.at, &c.at), 0);
			assert_int_equal(from.is_after, rows[i].is_after[p]);
		}
	}
}

static void a_cursor_moves_forward_only(void **state)
{
	static const struct {
		struct event_cursor to;
		bool moves;
	} rows[] = {
		{{{99, 9}, 2, 0}, false},  {{{100, 1}, 2, 0}, false}, {{{100, 2}, 0, 0}, false},
		{{{100, 2}, 1, 1}, false}, {{{100, 2}, 1, 2}, false}, {{{100, 2}, 1, 3}, true},
		{{{100, 2}, 1, 0}, true},  {{{100, 2}, 2, 1}, true},  {{{100, 3}, 0, 1}, true},
		{{{101, 0}, 0, 1}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_cursor c = {{100, 2}, 1, 2};

		assert_int_equal(event_cursor_move(&c, &rows[i].to), rows[i].moves);
		assert_int_equal(c.lines, rows[i].moves ? rows[i].to.lines : 2);
		assert_false(event_cursor_move(&c, &rows[i].to));
	}
}

static void the_last_line_of_an_entry_ends_it(void **state)
{
	struct event_log_entry entry = {.partition = 3, .at = {100, 2}, .n_lines = 2};

	(void)state;
	assert_int_equal(event_cursor_after(&entry, 1).lines, 1);
	assert_int_equal(event_cursor_after(&entry, 2).lines, 0);
	assert_int_equal(event_cursor_after(&entry, 2).partition, 3);
}

UNIT_TESTS(cmocka_unit_test(positions_come_back_from_their_text),
	   cmocka_unit_test(other_texts_are_refused),
	   cmocka_unit_test(each_partition_continues_where_the_order_says),
	   cmocka_unit_test(a_cursor_moves_forward_only),
	   cmocka_unit_test(the_last_line_of_an_entry_ends_it))
