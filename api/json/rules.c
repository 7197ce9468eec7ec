/* Checks JSON bodies against tables of rules, and reports every error with its JSON pointer. */
#include "api/json/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/json_text.h"
#include "server/base/spelling.h"

#define NAME_MAX_BYTES 128 /* a longer member name is not echoed */
#define GUESS_MAX 24       /* names above this length get no "did you mean" */

static const struct type_name {
	enum rule_type type;
	const char *name;
} type_names[] = {
	{RULE_STRING, "a string"},    {RULE_OBJECT, "an object"},  {RULE_ARRAY, "an array"},
	{RULE_INTEGER, "an integer"}, {RULE_BOOLEAN, "a boolean"},
};

void rules_deinit(struct rules_run *run)
{
	json_decref(run->errors);
	buf_deinit(&run->path);
	*run = (struct rules_run){0};
}

bool rules_has_errors(const struct rules_run *run)
{
	return json_array_size(run->errors) > 0;
}

json_t *rules_take_errors(struct rules_run *run)
{
	json_t *errors = run->errors;

	run->errors = NULL;
	return errors;
}

static bool is_full(const struct rules_run *run)
{
	return run->is_out_of_memory || json_array_size(run->errors) >= RULES_ERRORS_MAX;
}

/* RFC 6901 3: "~" is written "~0", "/" is written "~1". */
static void path_push(struct rules_run *run, const char *name)
{
	buf_char(&run->path, '/');
	for (; *name; name++) {
		if (*name == '~')
			buf_str(&run->path, "~0");
		else if (*name == '/')
			buf_str(&run->path, "~1");
		else
			buf_char(&run->path, *name);
	}
}

static void path_pop(struct rules_run *run, size_t len)
{
	run->path.len = len;
	if (run->path.data)
		run->path.data[len] = 0;
}

static void add_error(struct rules_run *run, const char *code, const char *detail)
{
	json_t *error;

	if (run->path.failed) {
		run->is_out_of_memory = true;
		return;
	}
	error = json_pack("{s:o, s:s, s:o}", "pointer", json_text(run->path.data, run->path.len),
			  "code", code, "detail", json_text(detail, strlen(detail)));
	if (!run->errors)
		run->errors = json_array();
	if (json_array_append_new(run->errors, error) < 0)
		run->is_out_of_memory = true;
}

static void report_list(struct rules_run *run, const char *name, const char *code, const char *fmt,
			va_list ap)
{
	size_t len = run->path.len;
	char detail[512];

	if (is_full(run))
		return;
	vsnprintf(detail, sizeof(detail), fmt, ap);
	if (name)
		path_push(run, name);
	add_error(run, code, detail);
	path_pop(run, len);
}

static void report_code(struct rules_run *run, const char *name, const char *code, const char *fmt,
			...) __attribute__((format(printf, 4, 5)));

static void report_code(struct rules_run *run, const char *name, const char *code, const char *fmt,
			...)
{
	va_list ap;

	va_start(ap, fmt);
	report_list(run, name, code, fmt, ap);
	va_end(ap);
}

void rules_error(struct rules_run *run, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_list(run, name, "invalid", fmt, ap);
	va_end(ap);
}

/* ---- types and limits ---- */

static unsigned type_of(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_STRING:
		return RULE_STRING;
	case JSON_OBJECT:
		return RULE_OBJECT;
	case JSON_ARRAY:
		return RULE_ARRAY;
	case JSON_INTEGER:
		return RULE_INTEGER;
	case JSON_TRUE:
	case JSON_FALSE:
		return RULE_BOOLEAN;
	case JSON_REAL:
	case JSON_NULL:
		break;
	}
	return 0;
}

static const char *type_name(const json_t *json)
{
	unsigned type = type_of(json);

	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return json_is_null(json) ? "null" : "a number with a fraction or exponent";
}

static void report_type(struct rules_run *run, unsigned types, const json_t *json)
{
	struct buf wanted = {.limit = 200};
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (!(types & type_names[i].type))
			continue;
		if (wanted.len)
			buf_str(&wanted, " or ");
		buf_str(&wanted, type_names[i].name);
	}
	report_code(run, NULL, "wrong_type", "must be %s, not %s", buf_text(&wanted),
		    type_name(json));
	buf_deinit(&wanted);
}

/* Jansson gives valid UTF-8 only, so the characters are the octets that begin one. */
static size_t count_characters(const char *text, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xC0) != 0x80;
	return n;
}

static size_t size_of(const struct rule_value *v, const char **unit)
{
	if (json_is_string(v->json)) {
		*unit = "characters";
		return count_characters(v->text, v->len);
	}
	*unit = json_is_array(v->json) ? "items" : "members";
	return json_is_array(v->json) ? json_array_size(v->json) : json_object_size(v->json);
}

static bool is_sized(struct rules_run *run, const struct rule *rule, const struct rule_value *v)
{
	const char *unit;
	size_t size;

	if (!rule->min && !rule->max)
		return true;
	size = size_of(v, &unit);
	if (rule->max && size > rule->max) {
		report_code(run, NULL, "too_long", "has %zu %s; at most %zu are allowed", size,
			    unit, rule->max);
		return false;
	}
	if (size < rule->min) {
		if (size == 0)
			report_code(run, NULL, "too_short", "must not be empty");
		else
			report_code(run, NULL, "too_short", "has %zu %s; at least %zu are needed",
				    size, unit, rule->min);
		return false;
	}
	return true;
}

/* ---- values ---- */

static void take_each(struct rules_run *run, const struct rule *rule, const struct rule_value *v,
		      void *at);

static unsigned allowed_types(const struct rule *rule)
{
	return rule->types | (rule->is_one_or_more ? rule->each->types : 0);
}

/* Reads one item in place of an array. */
static bool is_single(const struct rule *rule, const json_t *json)
{
	return rule->is_one_or_more && rule->each->types & type_of(json);
}

static void take_value(struct rules_run *run, const struct rule *rule, const struct rule_value *v,
		       void *at)
{
	struct err e = {0};

	if (is_single(rule, v->json)) {
		take_value(run, rule->each, v, at);
		return;
	}
	if (!(rule->types & type_of(v->json))) {
		report_type(run, allowed_types(rule), v->json);
		return;
	}
	if (v->text && memchr(v->text, 0, v->len)) {
		rules_error(run, NULL, "must not contain a NUL character");
		return;
	}
	if (!is_sized(run, rule, v))
		return;
	if (rule->each)
		take_each(run, rule->each, v, at);
	if (!rule->take || rule->take(run, v, at, &e) == 0)
		return;
	if (e.kind == ERR_INTERNAL)
		run->is_out_of_memory = true;
	else
		rules_error(run, NULL, "%s", e.text);
}

static struct rule_value value_of(const char *name, json_t *json)
{
	return (struct rule_value){
		.name = name,
		.json = json,
		.text = json_string_value(json),
		.len = json_string_length(json),
	};
}

static void take_member(struct rules_run *run, const struct rule *rule, const char *name,
			json_t *json, void *at)
{
	struct rule_value v = value_of(name, json);
	size_t len = run->path.len;

	path_push(run, name);
	take_value(run, rule, &v, at);
	path_pop(run, len);
}

static void take_item(struct rules_run *run, const struct rule *rule, size_t i, json_t *json,
		      void *at)
{
	struct rule_value v = value_of(NULL, json);
	size_t len = run->path.len;

	buf_fmt(&run->path, "/%zu", i);
	take_value(run, rule, &v, at);
	path_pop(run, len);
}

/* Reports a name that is too long to echo or has a NUL at its object. */
static bool is_plain_name(struct rules_run *run, const char *name, size_t len)
{
	if (len <= NAME_MAX_BYTES && !memchr(name, 0, len))
		return true;
	rules_error(run, NULL, "has a member whose name is longer than %d octets or contains a NUL",
		    NAME_MAX_BYTES);
	return false;
}

static void take_each(struct rules_run *run, const struct rule *rule, const struct rule_value *v,
		      void *at)
{
	const char *name;
	json_t *json;
	size_t i, len;

	if (json_is_array(v->json)) {
		json_array_foreach (v->json, i, json) {
			if (is_full(run))
				return;
			take_item(run, rule, i, json, at);
		}
		return;
	}
	json_object_keylen_foreach (v->json, name, len, json) {
		if (is_full(run))
			return;
		if (is_plain_name(run, name, len) && !json_is_null(json))
			take_member(run, rule, name, json, at);
	}
}

/* ---- unknown fields ---- */

static void report_unknown(struct rules_run *run, const struct rule *table, size_t n,
			   const char *name)
{
	const char *guess = NULL;
	size_t i, d, best = 3, len = strlen(name);

	for (i = 0; i < n && len <= GUESS_MAX; i++) {
		d = spelling_distance(name, table[i].field);
		if (d < best && d * 2 <= len) {
			best = d;
			guess = table[i].field;
		}
	}
	if (guess)
		report_code(run, name, "unknown_field", "unknown field; did you mean `%s`?", guess);
	else
		report_code(run, name, "unknown_field", "unknown field");
}

/* ---- tables ---- */

static const struct rule *find_rule(const struct rule *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].field, name) == 0)
			return &table[i];
	return NULL;
}

static void take_field(struct rules_run *run, const struct rule *table, size_t n, const char *name,
		       json_t *json, void *target)
{
	const struct rule *rule = find_rule(table, n, name);

	if (!rule)
		report_unknown(run, table, n, name);
	else if (!json_is_null(json))
		take_member(run, rule, name, json, (char *)target + rule->at);
}

bool rules_is_given(const json_t *object, const char *field)
{
	const json_t *json = json_object_get(object, field);

	return json && !json_is_null(json);
}

void rules_fields(struct rules_run *run, const struct rule *table, size_t n, json_t *object,
		  void *target)
{
	const char *name;
	json_t *json;
	size_t i, len;

	json_object_keylen_foreach (object, name, len, json) {
		if (is_full(run))
			return;
		if (is_plain_name(run, name, len))
			take_field(run, table, n, name, json, target);
	}
	for (i = 0; i < n; i++)
		if (table[i].is_required && !rules_is_given(object, table[i].field))
			report_code(run, table[i].field, "required", "is required");
}

void rules_body(struct rules_run *run, const struct rule *table, size_t n, json_t *body,
		void *target)
{
	if (json_is_object(body))
		rules_fields(run, table, n, body, target);
	else
		report_type(run, RULE_OBJECT, body);
}
