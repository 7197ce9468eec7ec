#ifndef TESTS_UNIT_DATA_DIR_H
#define TESTS_UNIT_DATA_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* A data directory of its own for each test. The test may leave the file "instance" in it, and
 * nothing else. */
static char dir[64], instance_file[80];

static inline int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/postern-unit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(instance_file, sizeof(instance_file), "%s/instance", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	(void)state;
	unlink(instance_file);
	return rmdir(dir); /* fails if the test left anything else */
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

#endif
