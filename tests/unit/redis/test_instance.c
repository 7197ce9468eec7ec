/* Which store is ours: the first one seen is remembered, any other is refused. */
#include "server/redis/instance.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/id.h"
#include "tests/unit/data_dir.h"

static void write_file(const char *text)
{
	FILE *f = fopen(instance_file, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void the_first_store_is_remembered(void **state)
{
	struct instance i, again;
	struct id id = id_make("ins", 0);
	struct err e;

	(void)state;
	assert_int_equal(instance_load(&i, dir, &e), 0);
	assert_string_equal(i.id, "");
	assert_int_equal(instance_check(&i, id.text, &e), 0);
	assert_string_equal(i.id, id.text);
	assert_int_equal(instance_check(&i, id.text, &e), 0);
	assert_int_equal(instance_load(&again, dir, &e), 0);
	assert_string_equal(again.id, id.text);
}

static void another_store_and_an_empty_one_are_refused(void **state)
{
	struct id ours = id_make("ins", 0), theirs = id_make("ins", 0);
	struct instance i;
	struct err e;

	(void)state;
	assert_int_equal(instance_load(&i, dir, &e), 0);
	assert_int_equal(instance_check(&i, ours.text, &e), 0);
	assert_int_equal(instance_check(&i, theirs.text, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, theirs.text));
	assert_non_null(strstr(e.text, i.file));
	assert_int_equal(instance_check(&i, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, "empty"));
	assert_non_null(strstr(e.text, i.file));
	assert_string_equal(i.id, ours.text);
}

static void damaged_ids_are_refused(void **state)
{
	static const char *const files[] = {"",
					    "\n",
					    "x\n",
					    "ins_\n",
					    "msg_00000000000000000000000000\n",
					    "ins_0000000000000000000000000!\n",
					    "ins_000000000000000000000000000000000000000\n"};
	struct instance i;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++) {
		write_file(files[n]);
		assert_int_equal(instance_load(&i, dir, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_non_null(strstr(e.text, "/instance"));
	}
	i = (struct instance){0};
	assert_int_equal(instance_check(&i, "ins_nonsense", &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_string_equal(i.id, "");
}

static void an_id_without_a_line_end_is_read(void **state)
{
	struct id id = id_make("ins", 0);
	struct instance i;
	struct err e;

	(void)state;
	write_file(id.text);
	assert_int_equal(instance_load(&i, dir, &e), 0);
	assert_string_equal(i.id, id.text);
}

static void a_path_too_long_is_refused(void **state)
{
	char path[600];
	struct instance i;
	struct err e;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(instance_load(&i, path, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
}

/* All processes of a first start remember the store at the same moment, while others read. */
static void no_process_reads_half_a_file(void **state)
{
	struct id id = id_make("ins", 0);
	struct instance i;
	struct err e;
	int status;
	pid_t writer = fork();

	(void)state;
	assert_true(writer >= 0);
	if (writer == 0) {
		for (int n = 0; n < 3000; n++) {
			struct instance mine = {0};

			snprintf(mine.file, sizeof(mine.file), "%s", instance_file);
			if (instance_check(&mine, id.text, &e) < 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(writer, &status, WNOHANG) == 0)
		if (instance_load(&i, dir, &e) < 0)
			fail_msg("%s", e.text);
	assert_int_equal(status, 0);
	assert_int_equal(instance_load(&i, dir, &e), 0);
	assert_string_equal(i.id, id.text);
}

UNIT_TESTS(IN_DIR(the_first_store_is_remembered),
	   IN_DIR(another_store_and_an_empty_one_are_refused), IN_DIR(damaged_ids_are_refused),
	   IN_DIR(an_id_without_a_line_end_is_read), IN_DIR(a_path_too_long_is_refused),
	   IN_DIR(no_process_reads_half_a_file))
