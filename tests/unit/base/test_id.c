/* Ids: shape, order, partition, and no two alike. */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "tests/unit/unit.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void an_id_is_valid_and_names_its_partition(void **state)
{
	(void)state;
	for (unsigned p = 0; p < ID_PARTITIONS; p++) {
		struct id id = id_make("msg", p);

		assert_true(id_valid("msg", id.text));
		assert_false(id_valid("key", id.text));
		assert_int_equal(id_partition(id.text), p);
		assert_int_equal(strlen(id.text), ID_LEN);
	}
}

static void ids_sort_by_time(void **state)
{
	struct id before = id_make("evt", 1023);
	int64_t then = clock_real_ms();
	struct id after;

	(void)state;
	while (clock_real_ms() <= then)
		;
	after = id_make("evt", 0);
	assert_true(strcmp(before.text, after.text) < 0);
}

static void text_that_is_not_an_id_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"msg",
		"msg_",
		"msg_0123456789abcdefghjkmnpqr",
		"msg_0123456789abcdefghjkmnpqrst",
		"msg-0123456789abcdefghjkmnpqrs",
		"msg_0123456789abcdefghjkmnpqrS",
		"msg_0123456789abcdefghjkmnpqri",
		"msg_0123456789abcdefghjkmnpq s",
		"msg_0123456789abcdefghjkmnpq}s",
		"msg_0123456789abcdefghjkmnpq:s",
		"key_0123456789abcdefghjkmnpqrs",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (id_valid("msg", cases[i]))
			fail_msg("\"%s\"", cases[i]);
	assert_true(id_valid("msg", "msg_0123456789abcdefghjkmnpqrs"));
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct id *)a)->text, ((const struct id *)b)->text);
}

static void no_two_ids_are_alike(void **state)
{
	enum { N = 20000 };
	struct id *ids = calloc(N, sizeof(*ids));

	(void)state;
	assert_non_null(ids);
	for (int i = 0; i < N; i++)
		ids[i] = id_make("msg", 0);
	qsort(ids, N, sizeof(*ids), compare);
	for (int i = 1; i < N; i++)
		assert_string_not_equal(ids[i - 1].text, ids[i].text);
	free(ids);
}

static void random_text_uses_the_whole_alphabet(void **state)
{
	unsigned seen[32] = {0};
	char text[3201];

	(void)state;
	id_random(text, 3200);
	assert_int_equal(strlen(text), 3200);
	for (const char *p = text; *p; p++) {
		assert_non_null(strchr(alphabet, *p));
		seen[strchr(alphabet, *p) - alphabet]++;
	}
	for (size_t i = 0; i < 32; i++) /* 100 expected, 10 standard deviations allowed */
		assert_in_range(seen[i], 1, 200);
}

static void an_id_says_when_it_was_made(void **state)
{
	int64_t before = clock_real_ms();
	struct id id = id_make("msg", 5);

	(void)state;
	assert_in_range(id_ms(id.text), before, clock_real_ms());
	assert_int_equal(id_ms("msg_00000000110000000000000000"), 33);
}

static void a_forked_child_makes_other_ids(void **state)
{
	char mine[33], theirs[33] = "";
	int fds[2];

	(void)state;
	id_random(mine, 1); /* so that the pool is filled */
	assert_int_equal(pipe(fds), 0);
	if (fork() == 0) {
		id_random(theirs, 32);
		_exit(write(fds[1], theirs, 32) == 32 ? 0 : 1);
	}
	assert_int_equal(read(fds[0], theirs, 32), 32);
	wait(NULL);
	id_random(mine, 32);
	assert_string_not_equal(mine, theirs);
	close(fds[0]);
	close(fds[1]);
}

UNIT_TESTS(cmocka_unit_test(an_id_is_valid_and_names_its_partition),
	   cmocka_unit_test(ids_sort_by_time), cmocka_unit_test(text_that_is_not_an_id_is_refused),
	   cmocka_unit_test(no_two_ids_are_alike),
	   cmocka_unit_test(random_text_uses_the_whole_alphabet),
	   cmocka_unit_test(an_id_says_when_it_was_made),
	   cmocka_unit_test(a_forked_child_makes_other_ids))
