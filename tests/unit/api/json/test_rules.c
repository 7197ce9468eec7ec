/* The table engine: what it takes, what it says, and where it says the error is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json/rules.h"
#include "tests/unit/unit.h"

struct target {
	const char *name;
	json_int_t count;
	json_t *list;
	const char *inner;
};

static int take_text(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	if (strcmp(v->text, "bad") == 0)
		return err_set(e, ERR_INPUT, "is bad");
	if (strcmp(v->text, "cut") == 0) {
		/* A sentence that is cut in the middle of a character must not get lost. */
		return err_set(e, ERR_INPUT, "%s", "half a character: \xC3");
	}
	if (strcmp(v->text, "oom") == 0)
		return err_oom(e);
	*(const char **)at = v->text;
	return 0;
}

static int take_count(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	(void)run;
	(void)e;
	*(json_int_t *)at = json_integer_value(v->json);
	return 0;
}

static int take_inner(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	static const struct rule inner[] = {
		{.field = "inner", .types = RULE_STRING, .is_required = true, .take = take_text},
	};

	(void)e;
	rules_fields(run, inner, 1, v->json, at);
	return 0;
}

static int check_text(struct rules_run *run, const struct rule_value *v, void *at, struct err *e)
{
	const char *unused;

	(void)at;
	return take_text(run, v, &unused, e);
}

static const struct rule item = {.types = RULE_STRING, .min = 1, .take = check_text};

static const struct rule table[] = {
	{.field = "name",
	 .types = RULE_STRING,
	 .is_required = true,
	 .min = 2,
	 .max = 5,
	 .at = offsetof(struct target, name),
	 .take = take_text},
	{.field = "count",
	 .types = RULE_INTEGER,
	 .at = offsetof(struct target, count),
	 .take = take_count},
	{.field = "list", .types = RULE_ARRAY, .max = 200, .each = &item},
	{.field = "one_or_more",
	 .types = RULE_ARRAY,
	 .max = 2,
	 .each = &item,
	 .is_one_or_more = true},
	{.field = "map", .types = RULE_OBJECT, .max = 3, .each = &item},
	{.field = "both", .types = RULE_STRING | RULE_OBJECT},
	{.field = "flag", .types = RULE_BOOLEAN},
	{.field = "object",
	 .types = RULE_OBJECT,
	 .at = offsetof(struct target, inner),
	 .take = take_inner},
};
#define N (sizeof(table) / sizeof(table[0]))

/* "pointer: detail" of each error, one a line; "" for none; "!" out of memory. */
static char *errors_of(json_t *body, struct target *target)
{
	struct rules_run run = {0};
	struct buf out = {0};
	json_t *error;
	size_t i;

	rules_body(&run, table, N, body, target);
	if (run.is_out_of_memory)
		buf_str(&out, "!");
	json_array_foreach (run.errors, i, error)
		buf_fmt(&out, "%s%s: %s", i ? "\n" : "",
			json_string_value(json_object_get(error, "pointer")),
			json_string_value(json_object_get(error, "detail")));
	rules_deinit(&run);
	json_decref(body);
	return buf_give(&out);
}

static const struct error_case {
	const char *what, *body, *errors;
} cases[] = {
	{"a right body has no error",
	 "{\"name\":\"ab\",\"count\":3,\"list\":[\"x\"],\"map\":{\"k\":\"v\"},\"flag\":true,"
	 "\"object\":{\"inner\":\"x\"}}",
	 ""},
	{"a body that is no object", "[]", ": must be an object, not an array"},
	{"required fields that are absent", "{}", "/name: is required"},
	{"null counts as not given", "{\"name\":\"ab\",\"count\":null,\"map\":{\"k\":null}}", ""},
	{"a required field that is null", "{\"name\":null}", "/name: is required"},
	{"null in a list", "{\"name\":\"ab\",\"list\":[null]}",
	 "/list/0: must be a string, not null"},
	{"null for an unknown field", "{\"name\":\"ab\",\"zzzzzz\":null}",
	 "/zzzzzz: unknown field"},
	{"one item in place of a list", "{\"name\":\"ab\",\"one_or_more\":\"x\"}", ""},
	{"one item that is wrong", "{\"name\":\"ab\",\"one_or_more\":\"bad\"}",
	 "/one_or_more: is bad"},
	{"neither an item nor a list", "{\"name\":\"ab\",\"one_or_more\":5}",
	 "/one_or_more: must be a string or an array, not an integer"},
	{"a number for a string", "{\"name\":5}", "/name: must be a string, not an integer"},
	{"a fraction for an integer", "{\"name\":\"ab\",\"count\":1.5}",
	 "/count: must be an integer, not a number with a fraction or exponent"},
	{"an exponent for an integer", "{\"name\":\"ab\",\"count\":1e3}",
	 "/count: must be an integer, not a number with a fraction or exponent"},
	{"two types", "{\"name\":\"ab\",\"both\":true}",
	 "/both: must be a string or an object, not a boolean"},
	{"too short", "{\"name\":\"a\"}", "/name: has 1 characters; at least 2 are needed"},
	{"empty", "{\"name\":\"\"}", "/name: must not be empty"},
	{"characters are counted, not octets",
	 "{\"name\":\"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4\xC3\xB6\"}", ""},
	{"too long", "{\"name\":\"abcdef\"}", "/name: has 6 characters; at most 5 are allowed"},
	{"too many members",
	 "{\"name\":\"ab\",\"map\":{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\"}}",
	 "/map: has 4 members; at most 3 are allowed"},
	{"all errors at once, in order of the body",
	 "{\"flag\":0,\"list\":[\"ok\",7,\"bad\"],\"name\":\"bad\"}",
	 "/flag: must be a boolean, not an integer\n/list/1: must be a string, not an integer\n"
	 "/list/2: is bad\n/name: is bad"},
	{"a pointer escapes ~ and /", "{\"name\":\"ab\",\"map\":{\"a/b~c\":1}}",
	 "/map/a~1b~0c: must be a string, not an integer"},
	{"the empty name", "{\"name\":\"ab\",\"\":1}", "/: unknown field"},
	{"unknown", "{\"name\":\"ab\",\"zzzzzz\":1}", "/zzzzzz: unknown field"},
	{"near to a field", "{\"name\":\"ab\",\"lists\":1}",
	 "/lists: unknown field; did you mean `list`?"},
	{"near by letter case", "{\"name\":\"ab\",\"Name\":1}",
	 "/Name: unknown field; did you mean `name`?"},
	{"inside a value", "{\"name\":\"ab\",\"object\":{\"iner\":1}}",
	 "/object/iner: unknown field; did you mean `inner`?\n/object/inner: is required"},
	{"a sentence cut within a character", "{\"name\":\"cut\"}",
	 "/name: half a character: \xEF\xBF\xBD"},
	{"out of memory in a check", "{\"name\":\"oom\"}", "!"},
};

static void every_error_is_reported_at_its_pointer(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target target = {0};
		json_t *body = json_loads(cases[i].body, JSON_REJECT_DUPLICATES, NULL);
		char *errors;

		assert_non_null(body);
		errors = errors_of(body, &target);
		if (strcmp(errors, cases[i].errors) != 0)
			print_error("%s\n", cases[i].what);
		assert_string_equal(errors, cases[i].errors);
		free(errors);
	}
}

static void values_land_in_the_target(void **state)
{
	json_t *body = json_pack("{s:s, s:i, s:{s:s}}", "name", "abc", "count", 42, "object",
				 "inner", "deep");
	struct target target = {0};
	char *errors;

	(void)state;
	json_incref(body);
	errors = errors_of(body, &target);
	assert_string_equal(errors, "");
	assert_string_equal(target.name, "abc");
	assert_int_equal(target.count, 42);
	assert_string_equal(target.inner, "deep");
	free(errors);
	json_decref(body);
}

static void a_string_with_nul_is_an_error(void **state)
{
	json_t *body = json_pack("{s:o}", "name", json_stringn("a\0b", 3));
	struct target target = {0};
	char *errors = errors_of(body, &target);

	(void)state;
	assert_string_equal(errors, "/name: must not contain a NUL character");
	assert_null(target.name);
	free(errors);
}

static void a_name_with_nul_is_an_error(void **state)
{
	json_t *body = json_object();
	struct target target = {0};
	char *errors;

	(void)state;
	json_object_setn_new(body, "name\0x", 6, json_string("ab"));
	errors = errors_of(body, &target);
	assert_non_null(strstr(errors, "contains a NUL"));
	assert_null(target.name);
	free(errors);
}

static void a_huge_name_is_not_echoed(void **state)
{
	json_t *body = json_pack("{s:s}", "name", "ab");
	struct target target = {0};
	size_t len = 1000000;
	char *name = malloc(len), *errors;

	(void)state;
	assert_non_null(name);
	memset(name, 'x', len);
	json_object_setn_new(body, name, len, json_null());
	errors = errors_of(body, &target);
	assert_true(strlen(errors) < 200);
	assert_non_null(strstr(errors, "longer than 128 octets"));
	free(errors);
	free(name);
}

static void errors_are_capped(void **state)
{
	struct rules_run run = {0};
	json_t *body = json_object();
	struct target target = {0};
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		json_object_set_new(body, name, json_null());
	}
	rules_body(&run, table, N, body, &target);
	assert_int_equal(json_array_size(run.errors), RULES_ERRORS_MAX);
	assert_false(run.is_out_of_memory);
	rules_deinit(&run);
	json_decref(body);
}

UNIT_TESTS(cmocka_unit_test(every_error_is_reported_at_its_pointer),
	   cmocka_unit_test(values_land_in_the_target),
	   cmocka_unit_test(a_string_with_nul_is_an_error),
	   cmocka_unit_test(a_name_with_nul_is_an_error),
	   cmocka_unit_test(a_huge_name_is_not_echoed), cmocka_unit_test(errors_are_capped))
