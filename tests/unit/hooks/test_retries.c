/* How a retry is kept in the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/hooks/retries.h"
#include "tests/unit/unit.h"

static void members_of_the_retries_are_read_or_refused(void **state)
{
	static const char *const bad[] = {"",
					  "1",
					  "1 msg_x 2",
					  "x msg_01kcs9g2f0w8m3q7z5xv4tn6rb 2",
					  "1 msg_01kcs9g2f0w8m3q7z5xv4tn6rb",
					  "1 msg_01kcs9g2f0w8m3q7z5xv4tn6rb 2 3"};
	struct retry r;
	char again[RETRY_MEMBER_MAX];

	(void)state;
	assert_int_equal(retry_read("3 msg_01kcs9g2f0w8m3q7z5xv4tn6rb 17", &r), 0);
	assert_int_equal(r.tries, 3);
	assert_int_equal(r.sequence, 17);
	assert_string_equal(r.message, "msg_01kcs9g2f0w8m3q7z5xv4tn6rb");
	retry_write(&r, again);
	assert_string_equal(again, "3 msg_01kcs9g2f0w8m3q7z5xv4tn6rb 17");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(retry_read(bad[i], &r), -1);
}

UNIT_TESTS(cmocka_unit_test(members_of_the_retries_are_read_or_refused))
