/* Reads JSON into Jansson's values.
 *
 *	value  = object / array / string / number / true / false / null
 *	object = "{" [ string ":" value *( "," string ":" value ) ] "}"
 *	array  = "[" [ value *( "," value ) ] "]" */
#include "api/json/json_reader.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/json_cursor.h"
#include "api/json/json_number.h"
#include "api/json/json_string.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

static json_t *read_value(struct json_cursor *c);

/* A copy of the name in `small`, or allocated if it is longer. NULL: out of memory. */
static char *keep_name(struct json_string name, char *small, size_t size)
{
	char *kept = name.len < size ? small : malloc(name.len + 1);

	if (kept) {
		memcpy(kept, name.text, name.len);
		kept[name.len] = 0;
	}
	return kept;
}

/* The number of members does not grow if the name is a duplicate. */
static bool set_member(struct json_cursor *c, json_t *object, const char *name, const char *at)
{
	size_t before = json_object_size(object);
	json_t *value = read_value(c);

	if (!value)
		return false;
	if (json_object_set_new_nocheck(object, name, value) < 0)
		return json_cursor_fail_oom(c);
	return json_object_size(object) == before + 1 ||
	       json_cursor_fail_at(c, at, "an object has the same name twice");
}

static bool read_member(struct json_cursor *c, json_t *object)
{
	struct json_string name;
	char small[64], *kept;
	const char *at;
	bool ok;

	if (!json_cursor_take(c, '"'))
		return json_cursor_fail(c, "expected a name in double quotes");
	at = c->p - 1;
	if (!json_string_read(c, &name))
		return false;
	if (!json_cursor_take(c, ':'))
		return json_cursor_fail(c, "expected a colon after the name");
	kept = keep_name(name, small, sizeof(small));
	ok = kept ? set_member(c, object, kept, at) : json_cursor_fail_oom(c);
	if (kept != small)
		free(kept);
	return ok;
}

static bool read_item(struct json_cursor *c, json_t *array)
{
	json_t *value = read_value(c);

	return value && (json_array_append_new(array, value) == 0 || json_cursor_fail_oom(c));
}

/* After the opening bracket. */
static bool read_items(struct json_cursor *c, json_t *into, char end,
		       bool (*read)(struct json_cursor *c, json_t *into))
{
	if (json_cursor_take(c, end))
		return true;
	do {
		if (!read(c, into))
			return false;
	} while (json_cursor_take(c, ','));
	return json_cursor_take(c, end) ||
	       json_cursor_fail(c, end == '}' ? "expected a comma or }" : "expected a comma or ]");
}

static json_t *read_list(struct json_cursor *c, json_t *into, char end,
			 bool (*read)(struct json_cursor *c, json_t *into))
{
	bool ok = into || json_cursor_fail_oom(c);

	if (ok && c->depth == JSON_DEPTH_MAX)
		ok = json_cursor_fail(c, "nested deeper than " TEXT(JSON_DEPTH_MAX) " levels");
	c->p++;
	c->depth++;
	if (ok && read_items(c, into, end, read)) {
		c->depth--;
		return into;
	}
	json_decref(into);
	return NULL;
}

/* Fails if the allocation did. */
static json_t *made(struct json_cursor *c, json_t *value)
{
	if (!value)
		json_cursor_fail_oom(c);
	return value;
}

static json_t *read_word(struct json_cursor *c)
{
	static const struct {
		const char *text;
		size_t len;
	} words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

	for (size_t i = 0; i < 3; i++) {
		if ((size_t)(c->end - c->p) < words[i].len ||
		    memcmp(c->p, words[i].text, words[i].len) != 0)
			continue;
		c->p += words[i].len;
		return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
	}
	json_cursor_fail(c, "expected a value");
	return NULL;
}

static json_t *read_value(struct json_cursor *c)
{
	struct json_string s;
	char octet = json_cursor_peek(c);

	if (++c->values > JSON_VALUES_MAX) {
		*c->failure = (struct json_failure){.at = c->p, .has_too_many = true};
		return NULL;
	}
	if (octet == '"') {
		c->p++;
		return json_string_read(c, &s) ? made(c, json_stringn_nocheck(s.text, s.len))
					       : NULL;
	}
	if (octet == '{')
		return read_list(c, json_object(), '}', read_member);
	if (octet == '[')
		return read_list(c, json_array(), ']', read_item);
	if (octet == '-' || (octet >= '0' && octet <= '9'))
		return json_number_read(c);
	return read_word(c);
}

/* An object or an array with nothing after it. */
static json_t *read_text(struct json_cursor *c)
{
	char octet = json_cursor_peek(c);
	json_t *json;

	if (octet != '{' && octet != '[') {
		json_cursor_fail(c, "expected an object or an array");
		return NULL;
	}
	json = read_value(c);
	json_cursor_peek(c);
	if (json && c->p < c->end) {
		json_cursor_fail(c, "the text does not end after the JSON value");
		json_decref(json);
		return NULL;
	}
	return json;
}

json_t *json_reader_read(const char *text, size_t len, struct json_failure *failure)
{
	struct json_cursor c = {.p = text, .end = text + len, .failure = failure};
	json_t *json;

	*failure = (struct json_failure){0};
	json = read_text(&c);
	buf_deinit(&c.text);
	return json;
}
