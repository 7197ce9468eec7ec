/* Commands as RESP: lengths, keys of partitions, lists of arguments, and what does not fit. */
#include "server/redis/link/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/redis/link/script.h"
#include "tests/unit/unit.h"

static void assert_bytes(struct command *c, const char *expected, size_t expected_len)
{
	size_t len = 0;
	const char *bytes = command_finish(c, &len);

	assert_non_null(bytes);
	assert_int_equal(len, expected_len);
	assert_memory_equal(bytes, expected, len);
}

#define ASSERT_BYTES(c, text) assert_bytes(c, text, sizeof(text) - 1)

static void arguments_are_written_with_their_lengths(void **state)
{
	struct command c = {0};

	(void)state;
	command_start(&c, "SET");
	command_arg(&c, "a\0\r\n", 4);
	command_str(&c, "");
	command_num(&c, INT64_MIN);
	ASSERT_BYTES(&c, "*4\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n"
			 "$20\r\n-9223372036854775808\r\n");
	command_start(&c, "PING");
	ASSERT_BYTES(&c, "*1\r\n$4\r\nPING\r\n");
	ASSERT_BYTES(&c, "*1\r\n$4\r\nPING\r\n"); /* again: it may be sent again */
	command_deinit(&c);
	command_deinit(&c);
}

static void keys_begin_with_the_root_of_their_partition(void **state)
{
	struct command c = {0};

	(void)state;
	command_start(&c, "GET");
	command_key(&c, 1023, "m:%s", "x");
	ASSERT_BYTES(&c, "*2\r\n$3\r\nGET\r\n$14\r\npn:{p1023}:m:x\r\n");
	command_start(&c, "GET");
	command_key(&c, REDIS_GLOBAL, "meta");
	ASSERT_BYTES(&c, "*2\r\n$3\r\nGET\r\n$11\r\npn:{g}:meta\r\n");
	command_deinit(&c);
}

/* A cluster would refuse it with CROSSSLOT. */
static void a_command_with_keys_of_two_partitions_fails(void **state)
{
	static const unsigned others[] = {0, 2, 1023, REDIS_GLOBAL};
	struct command c = {0};
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		command_start(&c, "EXISTS");
		command_key(&c, 1, "a");
		command_key(&c, 1, "b");
		assert_non_null(command_finish(&c, &len));
		command_key(&c, others[i], "a");
		assert_null(command_finish(&c, &len));
		command_deinit(&c);
		command_script(&c, (enum script)0, 1);
		command_key(&c, others[i], "a");
		assert_null(command_finish(&c, &len));
		command_deinit(&c);
	}
}

static void a_script_is_called_by_its_name_with_one_key(void **state)
{
	struct command c = {0};
	char expected[128];

	(void)state;
	for (int i = 0; i < SCRIPTS; i++) {
		const char *name = script_function((enum script)i);
		int len = snprintf(expected, sizeof(expected),
				   "*4\r\n$5\r\nFCALL\r\n$%zu\r\n%s\r\n$1\r\n1\r\n$8\r\npn:{p0}:"
				   "\r\n",
				   strlen(name), name);

		command_script(&c, (enum script)i, 0);
		assert_bytes(&c, expected, (size_t)len);
	}
	command_deinit(&c);
}

static void a_key_that_does_not_fit_fails_the_command(void **state)
{
	static const struct {
		int len;
		bool fits;
	} rows[] = {{1000, true}, {1015, true}, {1016, false}, {5000, false}};
	struct command c = {0};
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		command_start(&c, "GET");
		command_key(&c, 0, "%*s", rows[i].len, "x");
		assert_int_equal(command_finish(&c, &len) != NULL, rows[i].fits);
	}
	command_start(&c, "GET"); /* and the next one is whole again */
	assert_non_null(command_finish(&c, &len));
	command_deinit(&c);
}

static void lists_of_arguments_are_appended(void **state)
{
	struct command c = {0}, args = {0}, none = {0};

	(void)state;
	command_args(&args);
	command_str(&args, "one");
	command_num(&args, 2);
	command_args(&none);
	command_start(&c, "MSET");
	command_append(&c, &none);
	command_append(&c, &args);
	command_append(&c, &args);
	ASSERT_BYTES(&c, "*5\r\n$4\r\nMSET\r\n$3\r\none\r\n$1\r\n2\r\n$3\r\none\r\n$1\r\n2\r\n");
	command_deinit(&c);
	command_deinit(&args);
	command_deinit(&none);
}

static void a_list_that_failed_fails_the_command(void **state)
{
	struct command c = {0}, args = {0};
	size_t len;

	(void)state;
	args.bytes.limit = 8;
	command_args(&args);
	command_str(&args, "more than eight bytes");
	command_start(&c, "SET");
	command_append(&c, &args);
	command_str(&c, "x");
	assert_null(command_finish(&c, &len));
	command_deinit(&c);
	command_deinit(&args);
}

static void many_arguments_are_counted(void **state)
{
	struct command c = {0};
	size_t len = 0;
	const char *bytes;

	(void)state;
	command_start(&c, "DEL");
	for (int i = 0; i < 123455; i++)
		command_str(&c, "k");
	bytes = command_finish(&c, &len);
	assert_non_null(bytes);
	assert_memory_equal(bytes, "*123456\r\n$3\r\nDEL\r\n$1\r\nk\r\n", 25);
	assert_int_equal(len, 9 + 9 + 123455 * 7);
	command_deinit(&c);
}

static void a_key_names_its_partition(void **state)
{
	(void)state;
	assert_int_equal(command_root_partition("pn:{p0}:wake"), 0);
	assert_int_equal(command_root_partition("pn:{p1023}:wake"), 1023);
	assert_int_equal(command_root_partition("pn:{p99999}:wake"), 99999 % 1024);
	assert_int_equal(command_root_partition("pn:{g}:meta"), 0);
	assert_int_equal(command_root_partition(""), 0);
}

UNIT_TESTS(cmocka_unit_test(arguments_are_written_with_their_lengths),
	   cmocka_unit_test(keys_begin_with_the_root_of_their_partition),
	   cmocka_unit_test(a_command_with_keys_of_two_partitions_fails),
	   cmocka_unit_test(a_script_is_called_by_its_name_with_one_key),
	   cmocka_unit_test(a_key_that_does_not_fit_fails_the_command),
	   cmocka_unit_test(lists_of_arguments_are_appended),
	   cmocka_unit_test(a_list_that_failed_fails_the_command),
	   cmocka_unit_test(many_arguments_are_counted),
	   cmocka_unit_test(a_key_names_its_partition))
