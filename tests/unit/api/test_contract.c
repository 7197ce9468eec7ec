/* openapi.yaml against the tables of the code: fields, types, limits, routes and problems. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire/problem.h"
#include "api/routes.h"
#include "api/send/send_rules.h"
#include "openapi_text.h"
#include "tests/unit/unit.h"

static json_t *document;

static int load(void **state)
{
	(void)state;
	document = json_loads(openapi_json, JSON_REJECT_DUPLICATES, NULL);
	return document && sizeof(openapi_yaml) > 1 ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	json_decref(document);
	return 0;
}

static json_t *schema(const char *name)
{
	json_t *s = json_object_get(
		json_object_get(json_object_get(document, "components"), "schemas"), name);

	if (!s)
		fail_msg("openapi.yaml has no schema %s", name);
	return s;
}

static json_t *resolve(json_t *s)
{
	const char *ref = json_string_value(json_object_get(s, "$ref"));

	return ref ? schema(strrchr(ref, '/') + 1) : s;
}

static unsigned type_named(const char *name)
{
	static const char *const names[] = {"string", "object", "array", "integer", "boolean"};
	unsigned i;

	for (i = 0; i < 5; i++)
		if (strcmp(name, names[i]) == 0)
			return 1u << i;
	fail_msg("type %s", name);
	return 0;
}

static unsigned types_of(json_t *s)
{
	unsigned types = 0;
	json_t *choice;
	size_t i;

	s = resolve(s);
	if (json_object_get(s, "allOf"))
		return types_of(json_array_get(json_object_get(s, "allOf"), 0));
	if (!json_object_get(s, "oneOf"))
		return type_named(json_string_value(json_object_get(s, "type")));
	json_array_foreach (json_object_get(s, "oneOf"), i, choice)
		types |= types_of(choice);
	return types;
}

static size_t limit(json_t *s, const char *end, unsigned type)
{
	const char *what = type & RULE_STRING  ? "Length"
			   : type & RULE_ARRAY ? "Items"
					       : "Properties";
	char name[32];

	snprintf(name, sizeof(name), "%s%s", end, what);
	return (size_t)json_integer_value(json_object_get(resolve(s), name));
}

/* Of "one or a list": the list. */
static json_t *list_of(json_t *s)
{
	json_t *choice;
	size_t i;

	s = resolve(s);
	if (json_object_get(s, "allOf"))
		return list_of(json_array_get(json_object_get(s, "allOf"), 0));
	json_array_foreach (json_object_get(s, "oneOf"), i, choice)
		if (types_of(choice) == RULE_ARRAY)
			return choice;
	fail_msg("no list to choose");
	return NULL;
}

static void check_rule(const struct rule *rule, json_t *s, const char *name)
{
	if (types_of(s) != (rule->types | (rule->is_one_or_more ? rule->each->types : 0)))
		fail_msg("%s: types", name);
	if (rule->is_one_or_more)
		s = list_of(s);
	if (limit(s, "max", rule->types) != rule->max || limit(s, "min", rule->types) != rule->min)
		fail_msg("%s: limits", name);
	if (rule->each) {
		json_t *each = json_object_get(
			s, rule->types & RULE_ARRAY ? "items" : "additionalProperties");

		if (!each)
			fail_msg("%s: items", name);
		check_rule(rule->each, each, name);
	}
}

static bool is_required(json_t *s, const char *field)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(s, "required"), i, name)
		if (strcmp(json_string_value(name), field) == 0)
			return true;
	return false;
}

static void check_table(const struct rule *table, size_t n, const char *name)
{
	json_t *s = schema(name), *properties = json_object_get(s, "properties"), *property;
	size_t i;

	assert_true(json_is_false(json_object_get(s, "additionalProperties")));
	assert_int_equal(json_object_size(properties), n);
	for (i = 0; i < n; i++) {
		property = json_object_get(properties, table[i].field);
		if (!property)
			fail_msg("%s has no %s", name, table[i].field);
		if (is_required(s, table[i].field) != table[i].is_required)
			fail_msg("%s: required", table[i].field);
		check_rule(&table[i], property, table[i].field);
	}
}

static void the_rules_are_the_schemas(void **state)
{
	(void)state;
	check_table(send_rules, send_rules_count, "Send");
	check_table(send_address_rules, send_address_rules_count, "AddressObject");
	check_table(send_part_rules, send_part_rules_count, "Attachment");
}

static void the_routes_are_the_paths(void **state)
{
	static const char *const methods[] = {"get", "post", "patch", "put", "delete"};
	json_t *paths = json_object_get(document, "paths"), *path, *operation;
	size_t i, n = 0;
	const char *name;

	(void)state;
	for (i = 0; i < api_routes.n; i++) {
		const struct route *route = &api_routes.rows[i];

		path = json_object_get(paths, route->path);
		operation = json_object_get(path, methods[route->method]);
		if (!operation)
			fail_msg("%s %s is not in openapi.yaml", methods[route->method],
				 route->path);
		if ((json_object_get(operation, "security") == NULL) != (route->scope != 0))
			fail_msg("%s: security", route->path);
		if ((json_object_get(operation, "requestBody") != NULL) !=
		    (route->body == BODY_SMALL || route->body == BODY_LARGE))
			fail_msg("%s: requestBody", route->path);
	}
	json_object_foreach (paths, name, path)
		n += json_object_size(path);
	assert_int_equal(n, api_routes.n);
}

static void the_problems_are_the_types(void **state)
{
	json_t *types = json_object_get(
		json_object_get(json_object_get(schema("Problem"), "properties"), "type"), "enum");
	json_t *description = json_object_get(json_object_get(document, "info"), "description");
	json_t *codes = json_object_get(
		json_object_get(json_object_get(schema("Problem"), "properties"), "code"), "enum");
	json_t *problem;
	char row[96], *text;
	const char *type;
	size_t i, len;

	(void)state;
	for (i = 0; i < json_array_size(types); i++) {
		text = problem_text((enum problem)i, "id", NULL, NULL, &len);
		problem = json_loads(text, 0, NULL);
		type = json_string_value(json_object_get(problem, "type"));
		assert_string_equal(type, json_string_value(json_array_get(types, i)));
		assert_string_equal(json_string_value(json_object_get(problem, "code")),
				    json_string_value(json_array_get(codes, i)));
		snprintf(row, sizeof(row), "| `%s` | %d |", type,
			 (int)json_integer_value(json_object_get(problem, "status")));
		if (!strstr(json_string_value(description), row))
			fail_msg("the description lacks %s", row);
		json_decref(problem);
		free(text);
	}
	assert_int_equal(i, PROBLEM_NOT_CONFIGURED + 1);
}

UNIT_TESTS_IN(load, unload, cmocka_unit_test(the_rules_are_the_schemas),
	      cmocka_unit_test(the_routes_are_the_paths),
	      cmocka_unit_test(the_problems_are_the_types))
