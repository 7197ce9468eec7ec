/* The numbers of partitions that a store had, has, and will have. */
#include "server/redis/partitions.h"

#include "tests/unit/unit.h"

static struct partitions read_good(const char *n, const char *growth)
{
	struct partitions p = {0};
	struct err e;

	if (partitions_read(&p, n, growth, 5, &e) < 0)
		fail_msg("refused: \"%s\" \"%s\": %s", n, growth, e.text);
	return p;
}

static void a_store_that_never_grew_has_one_step(void **state)
{
	struct partitions p = read_good("4", "");

	(void)state;
	assert_int_equal(p.n, 4);
	assert_int_equal(p.n_steps, 1);
	assert_int_equal(p.read_ms, 5);
	assert_int_equal(partitions_step_at(&p, 0)->n, 4);
	assert_int_equal(partitions_next_ms(&p, 0), INT64_MAX);
}

static void damaged_numbers_are_refused(void **state)
{
	static const struct {
		const char *n, *growth;
	} rows[] = {
		{"", ""},         {"0", ""},         {"1025", ""},     {"x", ""},
		{"8", "1"},       {"8", "1 0 8"},    {"8", "1 0 8 x"}, {"8", "1 5"},
		{"8", "1 0 9 5"}, {"8", "4 0 4 5"},  {"8", "4 0 2 5"}, {"8", "1 0 4 9 8 9"},
		{"8", "1 0,8 5"}, {"8", "1 0 8 -5"}, {"8", "1 0 0 5"}, {"8", "1 0 8 5x"},
	};
	struct partitions p = {.n = 3};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (partitions_read(&p, rows[i].n, rows[i].growth, 5, &e) == 0)
			fail_msg("taken: \"%s\" \"%s\"", rows[i].n, rows[i].growth);
	assert_int_equal(p.n, 3);
}

static void fewer_than_before_are_refused(void **state)
{
	static const struct {
		const char *n, *growth;
		bool is_taken;
	} rows[] = {
		{"8", "1 0 8 1000", true},
		{"9", "1 0 8 1000", true},
		{"9", "1 0 8 1000 9 2000", true},
		{"7", "1 0 2 1000", false},
		{"8", "8 0", false},
		{"8", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct partitions p = read_good("8", "1 0 8 1000");
		struct err e;

		if ((partitions_read(&p, rows[i].n, rows[i].growth, 5, &e) == 0) !=
		    rows[i].is_taken)
			fail_msg("row %zu", i);
		assert_in_range(p.n_steps, 2, 3);
	}
}

static void a_step_counts_from_its_time_on(void **state)
{
	struct partitions p = read_good("64", "1 0 8 1000 32 2000");
	static const struct {
		int64_t at_ms, next_ms;
		unsigned n;
	} rows[] = {{0, 1000, 1},    {999, 1000, 1},        {1000, 2000, 8},
		    {1999, 2000, 8}, {2000, INT64_MAX, 32}, {9999, INT64_MAX, 32}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(partitions_step_at(&p, rows[i].at_ms)->n, rows[i].n);
		assert_int_equal(partitions_next_ms(&p, rows[i].at_ms), rows[i].next_ms);
	}
}

static void numbers_that_the_store_had_are_known(void **state)
{
	struct partitions p = read_good("64", "1 0 8 1000");

	(void)state;
	assert_true(partitions_was(&p, 1));
	assert_true(partitions_was(&p, 8));
	assert_true(partitions_was(&p, 64));
	assert_false(partitions_was(&p, 2));
	assert_false(partitions_was(&p, 0));
}

/* With since_ms 500. */
static void older_partitions_keep_their_part_for_a_time(void **state)
{
	struct partitions p = read_good("32", "1 0 8 1000 32 1300");
	static const struct {
		unsigned partition;
		int64_t at_ms;
		unsigned share;
	} rows[] = {
		{0, 900, 1},    {0, 1000, 1},  {5, 1000, 8}, {0, 1300, 1}, {5, 1300, 8},
		{20, 1300, 32}, {0, 1499, 1},  {0, 1500, 8}, {0, 1799, 8}, {5, 1799, 8},
		{0, 1800, 32},  {5, 1800, 32}, {20, 900, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (partitions_share(&p, rows[i].partition, rows[i].at_ms, 500) != rows[i].share)
			fail_msg("partition %u at %lld: %u", rows[i].partition,
				 (long long)rows[i].at_ms,
				 partitions_share(&p, rows[i].partition, rows[i].at_ms, 500));
}

UNIT_TESTS(cmocka_unit_test(a_store_that_never_grew_has_one_step),
	   cmocka_unit_test(damaged_numbers_are_refused),
	   cmocka_unit_test(fewer_than_before_are_refused),
	   cmocka_unit_test(a_step_counts_from_its_time_on),
	   cmocka_unit_test(numbers_that_the_store_had_are_known),
	   cmocka_unit_test(older_partitions_keep_their_part_for_a_time))
