/* When a relay counts as behind. */
#include "smtp/limits/load.h"
#include "tests/unit/unit.h"

static void a_lane_is_behind_if_its_jobs_are_late_and_the_machine_or_redis_is_busy(void **state)
{
	static const struct {
		int wanted_percent; /* of the time, the process wanted the processor */
		struct load_count transactions;
		unsigned n_late, n_on_time; /* jobs of lane normal */
		bool is_behind;
	} rows[] = {
		{90, {10, 0}, 10, 0, true},  {90, {10, 0}, 5, 5, true},
		{90, {10, 0}, 4, 5, false},  {90, {10, 0}, 0, 0, false},
		{70, {10, 0}, 10, 0, false}, /* slow mail servers */
		{70, {0, 0}, 10, 0, false},  {10, {10, 3}, 10, 0, false},
		{10, {10, 4}, 10, 0, true}, /* Redis is slow */
		{10, {10, 4}, 0, 10, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct load l = {.looked_us = 1000000, .wanted_us = 5000};
		bool is_behind[LOAD_KINDS];

		l.transactions = rows[i].transactions;
		for (unsigned n = 0; n < rows[i].n_late; n++)
			load_saw_job(&l, LOAD_NORMAL, LOAD_LATE_MS);
		for (unsigned n = 0; n < rows[i].n_on_time; n++)
			load_saw_job(&l, LOAD_NORMAL, LOAD_LATE_MS - 1);
		load_look(&l, 1250000, 5000 + rows[i].wanted_percent * 2500, is_behind);
		if (is_behind[LOAD_NORMAL] != rows[i].is_behind || is_behind[LOAD_BULK])
			fail_msg("row %zu", i);
		load_look(&l, 1500000, 5000 + rows[i].wanted_percent * 5000, is_behind);
		assert_false(is_behind[LOAD_NORMAL]); /* no job since then */
	}
}

static void the_first_look_knows_no_time(void **state)
{
	struct load l = {0};
	bool is_behind[LOAD_KINDS];

	(void)state;
	load_saw_job(&l, LOAD_BULK, LOAD_LATE_MS);
	load_look(&l, 1000, 900, is_behind);
	assert_false(is_behind[LOAD_BULK]);
	load_saw_job(&l, LOAD_BULK, LOAD_LATE_MS);
	load_look(&l, 2000, 1900, is_behind);
	assert_true(is_behind[LOAD_BULK]);
	assert_false(is_behind[LOAD_NORMAL]);
}

UNIT_TESTS(cmocka_unit_test(a_lane_is_behind_if_its_jobs_are_late_and_the_machine_or_redis_is_busy),
	   cmocka_unit_test(the_first_look_knows_no_time))
