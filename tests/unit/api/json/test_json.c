/* Bodies to JSON. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json/json.h"
#include "api/json/json_reader.h"
#include "tests/unit/unit.h"

static void each_body_is_read_or_the_position_of_the_error_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *why; /* in the message; NULL: it is fine */
	} rows[] = {
		{"{}", NULL},
		{" [1, 2.5, \"x\", null, true] \n", NULL},
		{"[0, -0, -1, 1.5, -2.25e3, 1E+2, 1e-2, 1000000000000000000]", NULL},
		{"{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[\"}", NULL},
		{"{\"a\": \"\\\"[[[[[[[[[[[[[[[[[[[[[[\"}", NULL},
		{"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", NULL},
		{"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
		 "Line 1, column 17: nested deeper than 16 levels"},
		{"[\n[[[[[[[[[[[[[[[[\n", "Line 2, column 16: nested deeper than 16 levels"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
		 "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
		 "nested deeper"},
		{"", "empty"},
		{"  ", "Line 1, column 3: the text ends too early"},
		{"{", "Line 1, column 2: the text ends too early"},
		{"[1", "Line 1, column 3: the text ends too early"},
		{"[\"a", "Line 1, column 4: the text ends too early"},
		{"[\"\\", "Line 1, column 4: the text ends too early"},
		{"[tru", "Line 1, column 2: expected a value"},
		{"{\n  \"a\": nope\n}", "Line 2, column 8: expected a value"},
		{"{\"\u00e4\u20ac\": nope}", "Line 1, column 8: expected a value"},
		{"{} {}", "Line 1, column 4: the text does not end after the JSON value"},
		{"{\"a\":1,\"a\":2}", "Line 1, column 8: an object has the same name twice"},
		{"{\"a\":1,\"\\u0061\":2}", "twice"},
		{"{'a':1}", "Line 1, column 2: expected a name in double quotes"},
		{"{a:1}", "Line 1, column 2: expected a name in double quotes"},
		{"{\"a\":1,}", "Line 1, column 8: expected a name in double quotes"},
		{"{\"a\" 1}", "Line 1, column 6: expected a colon after the name"},
		{"{\"a\":1 \"b\":2}", "Line 1, column 8: expected a comma or }"},
		{"[1 2]", "Line 1, column 4: expected a comma or ]"},
		{"[1,]", "Line 1, column 4: expected a value"},
		{"{\"a\":}", "Line 1, column 6: expected a value"},
		{"{\"a\":01}", "Line 1, column 6: this is not a JSON number"},
		{"[-]", "not a JSON number"},
		{"[-a]", "not a JSON number"},
		{"[1.]", "not a JSON number"},
		{"[1e]", "not a JSON number"},
		{"[1e+]", "not a JSON number"},
		{"[.5]", "expected a value"},
		{"[+1]", "expected a value"},
		{"[NaN]", "expected a value"},
		{"{\"a\":1e999}", "Line 1, column 6: the number is too large"},
		{"[99999999999999999999]", "the number is too large"},
		{"{\"a\":\"\\u0000\"}", "Line 1, column 7: \\u0000 is not allowed"},
		{"{\"a\\u0000\":1}", "Line 1, column 4: \\u0000 is not allowed"},
		{"[\"\\u00g0\"]", "Line 1, column 3: \\u needs four hex digits"},
		{"[\"\\x\"]", "Line 1, column 4: a backslash must begin an escape"},
		{"{\"a\":\"\\ud800\"}", "Line 1, column 7: this is half of a surrogate pair"},
		{"[\"\\ud800\\u0041\"]", "half of a surrogate pair"},
		{"[\"\\ude00\\ud83d\"]", "half of a surrogate pair"},
		{"{\"a\":\"\xff\"}", "Line 1, column 7: the text is not UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", "not UTF-8"},
		{"[\"\xc0\xaf\"]", "not UTF-8"},
		{"{\"a\":\"x\ny\"}", "Line 1, column 8: a control character in a string"},
		{"\xef\xbb\xbf{}", "Line 1, column 1: expected an object or an array"},
		{"\"text\"", "expected an object or an array"},
		{"1", "expected an object or an array"},
		{"null", "expected an object or an array"},
		{"// no\n{}", "expected an object or an array"},
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

/* Such a name does not fit into the reader's array on the stack. */
static void a_name_may_be_long_and_have_escapes(void **state)
{
	static const char begin[] = "{\"\\u0041", end[] = "\":[\"\\n\"],\"b\":1}";
	char text[sizeof(begin) + 5000 + sizeof(end)], name[5002];
	struct err e;
	json_t *json;

	(void)state;
	memset(name, 'A', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(text, sizeof(text), "%s%.5000s%s", begin, name, end);
	assert_int_equal(json_parse_body(text, strlen(text), &json, &e), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, name), 0)),
			    "\n");
	json_decref(json);
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
	while (len < 2 * (JSON_VALUES_MAX - 2)) {
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
	   cmocka_unit_test(a_name_may_be_long_and_have_escapes),
	   cmocka_unit_test(a_nul_in_the_text_is_not_its_end),
	   cmocka_unit_test(numbers_are_read_alike_in_every_locale))
