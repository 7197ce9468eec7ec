/* JSON as text: byte for byte what Jansson writes. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/base/buf.h"
#include "server/base/json_write.h"
#include "tests/unit/unit.h"

static void check(const char *text, size_t len)
{
	json_t *value = json_stringn(text, len);
	char *wanted = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	struct buf out = {0};

	assert_non_null(wanted);
	json_write_string(&out, text, len);
	assert_string_equal(buf_text(&out), wanted);
	buf_deinit(&out);
	free(wanted);
	json_decref(value);
}

static void each_character_is_written_as_jansson_does(void **state)
{
	static const char *const others[] = {
		"", "\xC3\xA9", "\xE2\x80\xA8", "\xF0\x9F\x98\x80", "a\"b\\c\nd/e\x7f", "\x01\x01"};
	char text[4] = "a.b";

	(void)state;
	for (int c = 0; c < 0x80; c++) {
		text[1] = (char)c;
		check(text, 3);
		check(text + 1, 1);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		check(others[i], strlen(others[i]));
}

static void members_have_commas_between_them(void **state)
{
	struct buf out = {0};

	(void)state;
	buf_char(&out, '{');
	json_write_member(&out, "a", "{");
	json_write_name(&out, "b");
	buf_char(&out, '{');
	json_write_member(&out, "c", "x\ty");
	buf_str(&out, "}");
	json_write_member(&out, "d", "");
	buf_char(&out, '}');
	assert_string_equal(buf_text(&out), "{\"a\":\"{\",\"b\":{\"c\":\"x\\ty\"},\"d\":\"\"}");
	buf_deinit(&out);
}

UNIT_TESTS(cmocka_unit_test(each_character_is_written_as_jansson_does),
	   cmocka_unit_test(members_have_commas_between_them))
