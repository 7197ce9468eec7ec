/* Bodies to JSON. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "api/json/json.h"
#include "tests/unit/unit.h"

static void each_body_is_read_or_the_position_of_the_error_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *why; /* in the message; NULL: it is fine */
	} rows[] = {
		{"{}", NULL},
		{" [1, 2.5, \"x\", null, true] \n", NULL},
		{"{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[\"}", NULL},
		{"{\"a\": \"\\\"[[[[[[[[[[[[[[[[[[[[[[\"}", NULL},
		{"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", NULL},
		{"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
		 "Line 1, column 17: nested deeper than 16 levels"},
		{"[\n[[[[[[[[[[[[[[[[\n", "Line 2, column 16: nested"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
		 "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
		 "nested deeper"},
		{"", "empty"},
		{"  ", "Line 1"},
		{"{", "Line 1, column 1"},
		{"{\n  \"a\": nope\n}", "Line 2, column 11: invalid token"},
		{"{} {}", "end of file expected"},
		{"{\"a\":1,\"a\":2}", "Line 1, column 10: an object has the same name twice"},
		{"{\"a\":1,\"\\u0061\":2}", "twice"},
		{"{'a':1}", "Line 1"},
		{"{\"a\":1,}", "Line 1"},
		{"{\"a\":01}", "Line 1"},
		{"{\"a\":1e999}", "Line 1"},
		{"{\"a\":\"\\u0000\"}", "Line 1, column 13: \\u0000 is not allowed"},
		{"{\"a\":\"\\ud800\"}", "Line 1"},
		{"{\"a\":\"\xff\"}", "not UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", "not UTF-8"},
		{"{\"a\":\"x\ny\"}", "Line 1"},
		{"\xef\xbb\xbf{}", "Line 1"},
		{"\"text\"", "Line 1"},
		{"1", "Line 1"},
		{"null", "Line 1"},
		{"// no\n{}", "Line 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = {.text = ""};
		json_t *json = NULL;
		int status = json_parse_body(rows[i].text, strlen(rows[i].text), &json, &e);

		if ((status == 0) != !rows[i].why || (status == 0) != (json != NULL))
			fail_msg("%s: %d %s", rows[i].text, status, e.text);
		if (status < 0 && (e.kind != ERR_INPUT || !strstr(e.text, rows[i].why)))
			fail_msg("%s: \"%s\", wanted \"%s\"", rows[i].text, e.text, rows[i].why);
		json_decref(json);
	}
}

static void the_message_does_not_quote_the_body(void **state)
{
	static const char text[] = "{\"code\": secret123}";
	struct err e;
	json_t *json;

	(void)state;
	assert_int_equal(json_parse_body(text, sizeof(text) - 1, &json, &e), -1);
	assert_null(strstr(e.text, "secret123"));
}

static void a_million_levels_do_not_overflow_the_stack(void **state)
{
	size_t len = 1000000;
	char *text = malloc(len);
	struct err e;
	json_t *json;

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	assert_int_equal(json_parse_body(text, len, &json, &e), -1);
	assert_non_null(strstr(e.text, "column 17"));
	free(text);
}

static void a_nul_in_the_text_is_not_its_end(void **state)
{
	static const char text[] = "{}\0{}";
	struct err e;
	json_t *json;

	(void)state;
	assert_int_equal(json_parse_body(text, sizeof(text) - 1, &json, &e), -1);
}

static void numbers_are_read_alike_in_every_locale(void **state)
{
	struct err e;
	json_t *json;

	(void)state;
	/* Skips itself where no such locale is installed. */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		(void)setlocale(LC_ALL, "C.UTF-8");
	assert_int_equal(json_parse_body("[1.5]", 5, &json, &e), 0);
	assert_true(json_real_value(json_array_get(json, 0)) > 1.49);
	json_decref(json);
	assert_int_equal(json_parse_body("[1,5]", 5, &json, &e), 0);
	assert_int_equal(json_array_size(json), 2);
	json_decref(json);
	setlocale(LC_ALL, "C");
}

static void a_body_has_a_bounded_number_of_values(void **state)
{
	static char body[3 * JSON_VALUES_MAX + 10];
	json_t *json = NULL;
	struct err e;
	size_t len = 0;

	(void)state;
	body[len++] = '[';
	while (len < 2 * (JSON_VALUES_MAX - 1)) {
		body[len++] = '1';
		body[len++] = ',';
	}
	memcpy(body + len, "1]", 3);
	assert_int_equal(json_parse_body(body, len + 2, &json, &e), 0);
	json_decref(json);
	json = NULL;
	memcpy(body + len, "1,[],{},1]", 11);
	assert_int_equal(json_parse_body(body, len + 10, &json, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_null(json);
}

UNIT_TESTS(cmocka_unit_test(a_body_has_a_bounded_number_of_values),
	   cmocka_unit_test(each_body_is_read_or_the_position_of_the_error_is_named),
	   cmocka_unit_test(the_message_does_not_quote_the_body),
	   cmocka_unit_test(a_million_levels_do_not_overflow_the_stack),
	   cmocka_unit_test(a_nul_in_the_text_is_not_its_end),
	   cmocka_unit_test(numbers_are_read_alike_in_every_locale))
