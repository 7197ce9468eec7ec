/* Bodies become the same values as by Jansson. */
#include <string.h>

#include "api/json/json_reader.h"
#include "tests/unit/unit.h"

static void bodies_are_read_as_jansson_reads_them(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		" \t\r\n[ true , false , null ] \r\n",
		"{\"from\":\"Shop <orders@shop.example>\",\"to\":[\"a@b.example\"],\"text\":\"x\"}",
		"[0, 7, 10, 999999999999999999, 9223372036854775807]",
		"[-0, -1, -9223372036854775808, 0.5, -1.25, 1e3, 1E-3, 2.5e+10, 0e0]",
		"[\"\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"a\\nb\\nc\", \"\\u0041\\u00e4\\u20ac\"]",
		"[\"\\ud83d\\ude00\", \"\\uD83D\\uDE00!\", "
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"]",
		"{\"a\":{\"a\":[{\"b\":\"}\"},{\"b\":\"]\"}]},\"b\\u0062\":1}",
	};
	struct json_failure failure;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *ours = json_reader_read(rows[i], strlen(rows[i]), &failure);
		json_t *jansson =
			json_loadb(rows[i], strlen(rows[i]), JSON_REJECT_DUPLICATES, NULL);

		if (!jansson || !ours || !json_equal(ours, jansson))
			fail_msg("%s", rows[i]);
		json_decref(ours);
		json_decref(jansson);
	}
}

/* Cut anywhere, a body is not read past its end: ASan watches. */
static void a_body_that_ends_early_is_an_error(void **state)
{
	static const char text[] = "{\"a\":[\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,12,-1.5e3]}";
	struct json_failure failure;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *cut = test_malloc(len + 1);

		memcpy(cut + 1, text, len);
		assert_null(json_reader_read(cut + 1, len, &failure));
		assert_true(failure.at >= cut + 1 && failure.at <= cut + 1 + len);
		assert_non_null(failure.why);
		test_free(cut);
	}
}

UNIT_TESTS(cmocka_unit_test(bodies_are_read_as_jansson_reads_them),
	   cmocka_unit_test(a_body_that_ends_early_is_an_error))
