/* The growing byte string: what it holds, and where it stops. */

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "tests/unit/unit.h"

static void a_zeroed_one_is_empty_and_usable(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_string_equal(buf_text(&b), "");
	buf_consume(&b, 5);
	buf_str(&b, "");
	buf_reset(&b);
	buf_deinit(&b);
	buf_deinit(&b);
}

static void appends_follow_each_other(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_str(&b, "ab");
	buf_char(&b, 'c');
	buf_append(&b, "d\0e", 3);
	buf_fmt(&b, "%d-%s", 7, "x");
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abcd\0e7-x", 10);
	buf_consume(&b, 6);
	assert_string_equal(buf_text(&b), "7-x");
	buf_consume(&b, 99);
	assert_string_equal(buf_text(&b), "");
	buf_deinit(&b);
}

static void it_grows_byte_by_byte_without_losing_one(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 5000);
	assert_false(b.failed);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.data[5000], 0);
	buf_deinit(&b);
}

static void over_the_limit_it_fails_and_stays_failed(void **state)
{
	struct buf b = {.limit = 10};

	(void)state;
	buf_str(&b, "0123456789");
	assert_false(b.failed);
	buf_char(&b, 'x');
	assert_true(b.failed);
	assert_string_equal(buf_text(&b), "0123456789");
	buf_consume(&b, 5);
	buf_char(&b, 'y');
	assert_string_equal(buf_text(&b), "56789");
	assert_null(buf_give(&b));
	assert_int_equal(b.limit, 10);
	buf_str(&b, "new");
	assert_string_equal(buf_text(&b), "new");
	buf_deinit(&b);
}

static void huge_lengths_do_not_wrap(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_str(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	buf_reset(&b);
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	buf_reset(&b);
	assert_null(buf_reserve(&b, BUF_LIMIT + 1));
	buf_deinit(&b);
}

static void giving_leaves_it_empty(void **state)
{
	struct buf b = {0};
	char *text;

	(void)state;
	text = buf_give(&b);
	assert_string_equal(text, "");
	free(text);
	buf_str(&b, "hello");
	text = buf_give(&b);
	assert_string_equal(text, "hello");
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	free(text);
}

static void reserved_bytes_count_once_written(void **state)
{
	struct buf b = {0};
	char *to;

	(void)state;
	buf_str(&b, "a");
	to = buf_reserve(&b, 1000);
	assert_non_null(to);
	memset(to, 'b', 1000);
	assert_int_equal(b.len, 1);
	b.len += 1000;
	buf_char(&b, 'c');
	assert_int_equal(b.len, 1002);
	assert_int_equal(b.data[1001], 'c');
	buf_deinit(&b);
}

UNIT_TESTS(cmocka_unit_test(a_zeroed_one_is_empty_and_usable),
	   cmocka_unit_test(appends_follow_each_other),
	   cmocka_unit_test(it_grows_byte_by_byte_without_losing_one),
	   cmocka_unit_test(over_the_limit_it_fails_and_stays_failed),
	   cmocka_unit_test(huge_lengths_do_not_wrap), cmocka_unit_test(giving_leaves_it_empty),
	   cmocka_unit_test(reserved_bytes_count_once_written))
