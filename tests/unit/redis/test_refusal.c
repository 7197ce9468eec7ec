/* Error replies of Redis: what they mean, and what an operator reads. */
#include "server/redis/refusal.h"

#include "tests/unit/unit.h"

static void an_error_tells_what_to_do(void **state)
{
	static const struct {
		const char *error;
		enum refusal refusal;
		bool is_from_script;
	} rows[] = {
		{"ERR unknown command 'X'", REFUSAL_FINAL, false},
		{"WRONGTYPE Operation against a key", REFUSAL_FINAL, false},
		{"MOVEDX", REFUSAL_FINAL, false},
		{"", REFUSAL_FINAL, false},
		{"ERR user_function:1: nil script: f, on @user_function:1.", REFUSAL_FINAL, true},
		{"LOADING Redis is loading the dataset in memory", REFUSAL_NOT_NOW, false},
		{"OOM command not allowed when used memory > 'maxmemory'.", REFUSAL_NOT_NOW, false},
		{"ERR user_function:3: -OOM command not allowed", REFUSAL_NOT_NOW, true},
		{"MISCONF Errors writing to the AOF file", REFUSAL_NOT_NOW, false},
		{"NOPERM this user has no permissions", REFUSAL_NOT_NOW, false},
		{"NOREPLICAS Not enough good replicas to write.", REFUSAL_NOT_NOW, false},
		{"ERR Function not found", REFUSAL_NOT_LOADED, false},
		{"READONLY You can't write against a read only replica.", REFUSAL_REPLICA, false},
		{"NOAUTH Authentication required.", REFUSAL_NO_LOGIN, false},
		{"MOVED 3999 127.0.0.1:6381", REFUSAL_MOVED, false},
		{"ASK 3999 127.0.0.1:6381", REFUSAL_UNSTABLE, false},
		{"TRYAGAIN Multiple keys request during rehashing of slot", REFUSAL_UNSTABLE,
		 false},
		{"CLUSTERDOWN Hash slot not served", REFUSAL_UNSTABLE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (refusal_of(rows[i].error) != rows[i].refusal)
			fail_msg("%s: %d", rows[i].error, refusal_of(rows[i].error));
		assert_int_equal(refusal_is_from_script(rows[i].error), rows[i].is_from_script);
	}
}

static void the_sentence_has_the_error_of_redis(void **state)
{
	char text[64];

	(void)state;
	refusal_write("LOADING x", text, sizeof(text));
	assert_string_equal(text, "Redis does not take commands now: LOADING x");
	refusal_write("MISCONF x", text, sizeof(text));
	assert_string_equal(text, "Redis cannot write to its disk, which may be full: MISCONF x");
	refusal_write("CLUSTERDOWN x", text, sizeof(text));
	assert_string_equal(text, "the Redis Cluster does not take the command now: CLUSTERDOWN x");
	refusal_write("ASK 1 a:1", text, 20);
	assert_string_equal(text, "the Redis Cluster d");
}

UNIT_TESTS(cmocka_unit_test(an_error_tells_what_to_do),
	   cmocka_unit_test(the_sentence_has_the_error_of_redis))
