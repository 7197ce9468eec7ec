/* Files of the data directory are complete, and on disk with their names. */
#include "server/config/data_file.h"
#include "tests/unit/data_dir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char trace[100];

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat is;

	fstat(fd, &is);
	strcat(trace, S_ISDIR(is.st_mode) ? "folder " : "file ");
	return __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	strcat(trace, "rename ");
	return __real_rename(from, to);
}

static void expect_text(const char *expected)
{
	char text[64] = "";
	FILE *f = fopen(instance_file, "re");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	assert_string_equal(text, expected);
}

static void a_file_is_on_disk_before_it_has_its_name_and_then_the_name_is(void **state)
{
	struct stat is;
	struct err e;

	(void)state;
	trace[0] = 0;
	assert_int_equal(data_file_write(instance_file, "one", 0600, &e), 0);
	assert_string_equal(trace, "file rename folder ");
	expect_text("one\n");
	assert_int_equal(stat(instance_file, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
	assert_int_equal(data_file_write(instance_file, "another", 0600, &e), 0);
	expect_text("another\n");
}

static void a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(void **state)
{
	char path[128];
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "%s/missing/instance", dir);
	assert_int_equal(data_file_write(path, "one", 0600, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
	assert_int_equal(mkdir(instance_file, 0700), 0);
	/* A folder has the name. */
	assert_int_equal(data_file_write(instance_file, "one", 0600, &e), -1);
	assert_int_equal(rmdir(instance_file), 0);
}

UNIT_TESTS(IN_DIR(a_file_is_on_disk_before_it_has_its_name_and_then_the_name_is),
	   IN_DIR(a_file_that_cannot_be_written_is_an_error_and_leaves_nothing))
