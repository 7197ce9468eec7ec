/* Plain bodies, read past Jansson into what Jansson would have made of them. */
#include <string.h>

#include "api/json/json_plain.h"
#include "tests/unit/unit.h"

static void plain_bodies_are_read_as_jansson_reads_them(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		" \t\r\n[ true , false , null ] \r\n",
		"{\"from\":\"Shop <orders@shop.example>\",\"to\":[\"a@b.example\"],\"text\":\"x\"}",
		"[0, 7, 10, 999999999999999999]",
		"[\"\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"a\\nb\\nc\", \"\\u0041\\u00e4\\u20ac\"]",
		"[\"\\ud83d\\ude00\", \"\\uD83D\\uDE00!\", "
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"]",
		"{\"a\":{\"a\":[{\"b\":\"}\"},{\"b\":\"]\"}]},\"b\\u0062\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *plain = json_plain(rows[i], strlen(rows[i]));
		json_t *jansson =
			json_loadb(rows[i], strlen(rows[i]), JSON_REJECT_DUPLICATES, NULL);

		if (!jansson || !plain || !json_equal(plain, jansson))
			fail_msg("%s", rows[i]);
		json_decref(plain);
		json_decref(jansson);
	}
}

static void json_that_is_not_plain_is_left_to_jansson(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"1",
		"\"text\"",
		"null",
		"[-1]",
		"[1.5]",
		"[1e3]",
		"[01]",
		"[1000000000000000000]",
		"[99999999999999999999]",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"a\" 1}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"[1,]",
		"[1 2]",
		"[",
		"[\"",
		"[\"\\",
		"[\"\\u",
		"[\"\\x\"]",
		"[\"\\u00g0\"]",
		"[\"\\u0000\"]",
		"[\"\\ud800\"]",
		"[\"\\ud800\\u0041\"]",
		"[\"\\ude00\\ud83d\"]",
		"[\"a\nb\"]",
		"[\"\xff\"]",
		"[\"\xed\xa0\x80\"]",
		"[\"\xc0\xaf\"]",
		"[tru]",
		"[truex]",
		"{} {}",
		"// no\n{}",
		"\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (json_plain(rows[i], strlen(rows[i])))
			fail_msg("%s", rows[i]);
	assert_null(json_plain("{}\0{}", 5));
	assert_null(json_plain("[\"a\0b\"]", 7));
}

/* Cut anywhere, a body is not read past its end: ASan watches. */
static void a_body_that_ends_early_is_not_plain(void **state)
{
	static const char text[] = "{\"a\":[\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,12]}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *cut = test_malloc(len + 1);

		memcpy(cut + 1, text, len);
		assert_null(json_plain(cut + 1, len));
		test_free(cut);
	}
}

UNIT_TESTS(cmocka_unit_test(plain_bodies_are_read_as_jansson_reads_them),
	   cmocka_unit_test(json_that_is_not_plain_is_left_to_jansson),
	   cmocka_unit_test(a_body_that_ends_early_is_not_plain))
