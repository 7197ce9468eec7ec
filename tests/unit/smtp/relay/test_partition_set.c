/* Sets of partitions. */
#include "smtp/relay/partition_set.h"

#include "tests/unit/unit.h"

static void each_partition_is_added_and_removed_alone(void **state)
{
	struct partition_set s = {{0}};

	(void)state;
	for (unsigned p = 0; p < ID_PARTITIONS; p++) {
		assert_false(partition_set_has(&s, p));
		partition_set_add(&s, p);
		partition_set_add(&s, p);
		assert_true(partition_set_has(&s, p));
		assert_int_equal(partition_set_count(&s), p + 1);
	}
	for (unsigned p = 0; p < ID_PARTITIONS; p++) {
		partition_set_remove(&s, p);
		assert_false(partition_set_has(&s, p));
		assert_int_equal(partition_set_count(&s), ID_PARTITIONS - p - 1);
	}
}

static void the_others_are_those_of_the_first_n(void **state)
{
	static const unsigned numbers[] = {1, 8, 63, 64, 65, 128, 1000, ID_PARTITIONS};
	struct partition_set s = {{0}};

	(void)state;
	partition_set_add(&s, 0);
	partition_set_add(&s, 64);
	partition_set_add(&s, ID_PARTITIONS - 1);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct partition_set others = partition_set_others(&s, numbers[i]);

		for (unsigned p = 0; p < ID_PARTITIONS; p++)
			assert_int_equal(partition_set_has(&others, p),
					 p < numbers[i] && !partition_set_has(&s, p));
	}
}

static void a_joined_set_has_the_partitions_of_both(void **state)
{
	struct partition_set one = {{0}}, other = {{0}};

	(void)state;
	partition_set_add(&one, 3);
	partition_set_add(&other, 3);
	partition_set_add(&other, 700);
	partition_set_join(&one, &other);
	assert_int_equal(partition_set_count(&one), 2);
	assert_true(partition_set_has(&one, 3));
	assert_true(partition_set_has(&one, 700));
}

UNIT_TESTS(cmocka_unit_test(each_partition_is_added_and_removed_alone),
	   cmocka_unit_test(the_others_are_those_of_the_first_n),
	   cmocka_unit_test(a_joined_set_has_the_partitions_of_both))
