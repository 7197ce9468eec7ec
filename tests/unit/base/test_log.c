/* Log lines: one for each event, well-formed whatever the values are, written without blocking. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "tests/unit/unit.h"

static int saved = -1;
static int pipe_fds[2];

static int open_pipe(void **state)
{
	(void)state;
	saved = dup(STDERR_FILENO);
	if (pipe(pipe_fds) < 0)
		return -1;
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	return dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int close_pipe(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "test");
	return 0;
}

static char line[8192];

static const char *read_line(void)
{
	ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = 0;
	return line;
}

static json_t *read_json(void)
{
	json_t *j = json_loads(read_line(), 0, NULL);

	assert_non_null(j);
	return j;
}

static void a_line_of_text_has_time_level_role_and_fields(void **state)
{
	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "api");
	LOG(LOG_INFO, "message.accepted", LOG_S("message", "msg_1"), LOG_N("recipients", 3),
	    LOG_S("why", "two words"), LOG_S("nothing", NULL));
	assert_non_null(strstr(read_line(), "Z info  api["));
	assert_non_null(strstr(line, "] message.accepted message=msg_1 recipients=3 "
				     "why=\"two words\" nothing=\"\"\n"));
}

static void json_is_well_formed_whatever_is_in_it(void **state)
{
	static const char *const cases[] = {
		"plain",
		"quote \" backslash \\ slash /",
		"line\r\nfeed\ttab",
		"\x01\x1f\x7f",
		"f\xc3\xbcr",
		"\xff\xfe",
		"cut \xe2\x82",
		"\xc0\x80",
		"\xed\xa0\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x9f\x93\xa7",
	};

	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_JSON, "api");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *j;

		LOG(LOG_WARN, "fact", LOG_S("value", cases[i]), LOG_N("n", -5));
		j = read_json();
		assert_string_equal(json_string_value(json_object_get(j, "level")), "warn");
		assert_string_equal(json_string_value(json_object_get(j, "fact")), "fact");
		assert_int_equal(json_integer_value(json_object_get(j, "n")), -5);
		assert_true(json_is_string(json_object_get(j, "value")));
		if (i < 3)
			assert_string_equal(json_string_value(json_object_get(j, "value")),
					    cases[i]);
		json_decref(j);
	}
}

/* A value with line ends must not look like a second fact. */
static void no_value_makes_a_line_of_its_own(void **state)
{
	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "api");
	LOG(LOG_INFO, "fact", LOG_S("value", "x\n2026 error forged\r\n\x1b[2J"));
	read_line();
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_null(strchr(line, '\r'));
	assert_null(strchr(line, '\x1b'));
}

static void long_values_and_lines_are_cut(void **state)
{
	char text[10000];
	const char *big = text;
	json_t *j;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_init(LOG_INFO, LOG_FORMAT_JSON, "api");
	LOG(LOG_INFO, "fact", LOG_S("value", big));
	j = read_json();
	assert_int_equal(json_string_length(json_object_get(j, "value")), 512);
	json_decref(j);
	LOG(LOG_INFO, "fact", LOG_S("a", big), LOG_S("b", big), LOG_S("c", big), LOG_S("d", big),
	    LOG_S("e", big), LOG_S("f", big), LOG_S("g", big), LOG_S("h", big), LOG_S("i", big),
	    LOG_S("j", big));
	assert_true(strlen(read_line()) <= 4096);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void a_byte_field_needs_no_end(void **state)
{
	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "api");
	LOG(LOG_INFO, "fact", LOG_B("bytes", "abcdef", 3));
	assert_non_null(strstr(read_line(), "bytes=abc\n"));
}

static void lines_below_the_level_are_not_written(void **state)
{
	(void)state;
	log_init(LOG_WARN, LOG_FORMAT_TEXT, "api");
	LOG(LOG_INFO, "quiet", LOG_N("n", 1));
	assert_string_equal(read_line(), "");
	LOG(LOG_ERROR, "loud", LOG_N("n", 1));
	assert_non_null(strstr(read_line(), "loud"));
}

static void a_full_pipe_drops_lines_and_counts_them(void **state)
{
	uint64_t before = log_dropped();
	int64_t start = clock_mono_ms();

	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "api");
	for (int i = 0; i < 5000; i++)
		LOG(LOG_INFO, "fact", LOG_S("value", "0123456789012345678901234567890123456789"));
	assert_true(log_dropped() > before);
	assert_true(clock_mono_ms() - start < 5000);
}

static void processes_write_a_shared_line_once(void **state)
{
	(void)state;
	log_init(LOG_INFO, LOG_FORMAT_TEXT, "api");
	assert_int_equal(log_share(), 0);
	LOG_ONCE(LOG_WARN, "redis.odd", LOG_S("hint", "a"), LOG_N("n", 1));
	assert_non_null(strstr(read_line(), "redis.odd hint=a n=1"));
	if (fork() == 0) {
		LOG_ONCE(LOG_WARN, "redis.odd", LOG_S("hint", "a"), LOG_N("n", 1));
		_exit(0);
	}
	wait(NULL);
	assert_string_equal(read_line(), "");
	LOG_ONCE(LOG_WARN, "redis.odd", LOG_S("hint", "a"), LOG_N("n", 2));
	assert_non_null(strstr(read_line(), "n=2"));
	LOG_ONCE(LOG_WARN, "redis.odd", LOG_S("hint", "b"), LOG_N("n", 1));
	assert_non_null(strstr(read_line(), "hint=b"));
	LOG_ONCE(LOG_DEBUG, "redis.quiet", LOG_N("n", 1));
	assert_string_equal(read_line(), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

UNIT_TESTS(TEST(a_line_of_text_has_time_level_role_and_fields),
	   TEST(json_is_well_formed_whatever_is_in_it), TEST(no_value_makes_a_line_of_its_own),
	   TEST(long_values_and_lines_are_cut), TEST(a_byte_field_needs_no_end),
	   TEST(lines_below_the_level_are_not_written), TEST(processes_write_a_shared_line_once),
	   TEST(a_full_pipe_drops_lines_and_counts_them))
