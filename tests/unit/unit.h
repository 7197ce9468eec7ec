#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* cmocka with the headers that it needs, and main() of a program of tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

static inline int unit_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction set_up,
			   CMFixtureFunction tear_down, const char *filter)
{
	signal(SIGPIPE, SIG_IGN); /* as all processes of Postern do */
	if (filter)
		cmocka_set_test_filter(filter);
	return _cmocka_run_group_tests("tests", tests, n, set_up, tear_down);
}

/* UNIT_TESTS(cmocka_unit_test(name), ...) is main(): it runs these tests. An argument of the
 * program selects tests by name; it may have the wildcards * and ?. */
#define UNIT_TESTS(...) UNIT_TESTS_IN(NULL, NULL, __VA_ARGS__)

/* The same with a function before the first test, and one after the last. */
#define UNIT_TESTS_IN(set_up, tear_down, ...)                                                      \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		const struct CMUnitTest tests[] = {__VA_ARGS__};                                   \
                                                                                                   \
		return unit_run(tests, sizeof(tests) / sizeof(tests[0]), set_up, tear_down,        \
				argc > 1 ? argv[1] : NULL);                                        \
	}

#endif
