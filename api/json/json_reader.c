/* A reader of JSON into Jansson's values.
 *
 *	value  = object / array / string / number / true / false / null
 *	object = "{" [ string ":" value *( "," string ":" value ) ] "}"
 *	array  = "[" [ value *( "," value ) ] "]"
 *	string = quote *( octet from 0x20 on, in UTF-8 / "\" escape ) quote
 *	number = [ "-" ] int [ "." digits ] [ ( "e" / "E" ) [ "+" / "-" ] digits ] */
#include "api/json/json_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/hex.h"
#include "server/base/octets.h"
#include "server/base/utf8.h"

#define DIGITS_MAX 18  /* fit into 63 bits */
#define NUMBER_MAX 100 /* octets */

struct reader {
	const char *p, *end;
	struct buf text; /* the last string, when it had escapes */
	struct json_failure *failure;
	size_t values;
	int depth;
};

struct string {
	const char *text;
	size_t len;
};

static json_t *read_value(struct reader *r);

static char peek_octet(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
	return r->p < r->end ? *r->p : 0;
}

static bool take_octet(struct reader *r, char c)
{
	if (peek_octet(r) != c)
		return false;
	r->p++;
	return true;
}

/* Returns false. The first failure counts: each caller fails in turn. */
static bool fail_at(struct reader *r, const char *at, const char *why)
{
	if (!r->failure->at) {
		r->failure->at = at;
		r->failure->why = at < r->end ? why : "the text ends too early";
	}
	return false;
}

static bool fail(struct reader *r, const char *why)
{
	return fail_at(r, r->p, why);
}

static bool fail_oom(struct reader *r)
{
	if (!r->failure->at)
		*r->failure = (struct json_failure){.at = r->p};
	return false;
}

/* ---- strings ---- */

/* True for eight octets of ASCII that need no escape in a string. */
static bool is_plain_word(const char *p)
{
	uint64_t w = octets_load(p);

	return !octets_any(w | octets_below(w, 0x20) | octets_are(w, '"') | octets_are(w, '\\'));
}

/* Skips octets that need no escape. Then r->p is at a quote, a backslash or an octet that is not
 * allowed. */
static struct string read_run(struct reader *r)
{
	const char *from = r->p;
	uint32_t unused;
	size_t n;

	while (r->p < r->end) {
		unsigned char c = (unsigned char)*r->p;

		if (r->end - r->p >= 8 && is_plain_word(r->p)) {
			r->p += 8;
			continue;
		}
		if (c == '"' || c == '\\' || c < 0x20)
			break;
		n = c < 0x80 ? 1 : utf8_next(r->p, (size_t)(r->end - r->p), &unused);
		if (!n)
			break;
		r->p += n;
	}
	return (struct string){from, (size_t)(r->p - from)};
}

/* The four hex digits at r->p; -1: there are none. */
static int32_t read_unit(struct reader *r)
{
	int32_t unit = 0;

	if (r->end - r->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*r->p++);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static void put_code_point(struct buf *to, uint32_t cp)
{
	if (cp < 0x80) {
		buf_char(to, (char)cp);
		return;
	}
	if (cp < 0x800) {
		buf_char(to, (char)(0xC0 | cp >> 6));
	} else {
		if (cp < 0x10000) {
			buf_char(to, (char)(0xE0 | cp >> 12));
		} else {
			buf_char(to, (char)(0xF0 | cp >> 18));
			buf_char(to, (char)(0x80 | (cp >> 12 & 0x3F)));
		}
		buf_char(to, (char)(0x80 | (cp >> 6 & 0x3F)));
	}
	buf_char(to, (char)(0x80 | (cp & 0x3F)));
}

/* After "\u". */
static bool read_code_point(struct reader *r)
{
	static const char half[] = "this is half of a surrogate pair";
	const char *at = r->p - 2;
	int32_t high = read_unit(r), low;

	if (high < 0)
		return fail_at(r, at, "\\u needs four hex digits");
	if (high == 0)
		return fail_at(r, at, "\\u0000 is not allowed");
	if (high >= 0xDC00 && high < 0xE000)
		return fail_at(r, at, half);
	if (high < 0xD800 || high >= 0xE000) {
		put_code_point(&r->text, (uint32_t)high);
		return true;
	}
	if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return fail_at(r, at, half);
	r->p += 2;
	low = read_unit(r);
	if (low < 0xDC00 || low >= 0xE000)
		return fail_at(r, at, half);
	put_code_point(&r->text, (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
	return true;
}

/* After a backslash. */
static bool read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = r->p < r->end ? *r->p : 0;
	const char *at = c ? strchr(from, c) : NULL;

	if (!at && c != 'u')
		return fail(r, "a backslash must begin an escape, such as \\n or \\\"");
	r->p++;
	if (!at)
		return read_code_point(r);
	buf_char(&r->text, to[at - from]);
	return true;
}

/* At the octet that ended a run. */
static bool end_string(struct reader *r)
{
	if (r->text.failed)
		return fail_oom(r);
	if (r->p < r->end && *r->p == '"') {
		r->p++;
		return true;
	}
	if (r->p < r->end && (unsigned char)*r->p < 0x20)
		return fail(r, "a control character in a string must be written as an escape");
	return fail(r, "the text is not UTF-8");
}

/* After the quote. *out points into the body, or into r->text until the next string is read. */
static bool read_string(struct reader *r, struct string *out)
{
	struct string run;

	*out = read_run(r);
	buf_reset(&r->text);
	while (r->p < r->end && *r->p == '\\') {
		if (r->text.len == 0)
			buf_append(&r->text, out->text, out->len);
		r->p++;
		if (!read_escape(r))
			return false;
		run = read_run(r);
		buf_append(&r->text, run.text, run.len);
		*out = (struct string){r->text.data, r->text.len};
	}
	return end_string(r);
}

/* ---- the other values ---- */

/* A copy of the name in `small`, or allocated if it is longer. NULL: out of memory. */
static char *keep_name(struct string name, char *small, size_t size)
{
	char *kept = name.len < size ? small : malloc(name.len + 1);

	if (kept) {
		memcpy(kept, name.text, name.len);
		kept[name.len] = 0;
	}
	return kept;
}

/* The number of members does not grow if the name is a duplicate. */
static bool set_member(struct reader *r, json_t *object, const char *name, const char *at)
{
	size_t before = json_object_size(object);
	json_t *value = read_value(r);

	if (!value)
		return false;
	if (json_object_set_new_nocheck(object, name, value) < 0)
		return fail_oom(r);
	return json_object_size(object) == before + 1 ||
	       fail_at(r, at, "an object has the same name twice");
}

static bool read_member(struct reader *r, json_t *object)
{
	struct string name;
	char small[64], *kept;
	const char *at;
	bool ok;

	if (!take_octet(r, '"'))
		return fail(r, "expected a name in double quotes");
	at = r->p - 1;
	if (!read_string(r, &name))
		return false;
	if (!take_octet(r, ':'))
		return fail(r, "expected a colon after the name");
	kept = keep_name(name, small, sizeof(small));
	ok = kept ? set_member(r, object, kept, at) : fail_oom(r);
	if (kept != small)
		free(kept);
	return ok;
}

static bool read_item(struct reader *r, json_t *array)
{
	json_t *value = read_value(r);

	return value && (json_array_append_new(array, value) == 0 || fail_oom(r));
}

/* After the opening bracket. */
static bool read_items(struct reader *r, json_t *into, char end,
		       bool (*read)(struct reader *r, json_t *into))
{
	if (take_octet(r, end))
		return true;
	do {
		if (!read(r, into))
			return false;
	} while (take_octet(r, ','));
	return take_octet(r, end) ||
	       fail(r, end == '}' ? "expected a comma or }" : "expected a comma or ]");
}

static json_t *read_list(struct reader *r, json_t *into, char end,
			 bool (*read)(struct reader *r, json_t *into))
{
	bool ok = into ? true : fail_oom(r);

	if (ok && r->depth == JSON_DEPTH_MAX)
		ok = fail(r, "nested deeper than 16 levels");
	r->p++;
	r->depth++;
	if (ok && read_items(r, into, end, read)) {
		r->depth--;
		return into;
	}
	json_decref(into);
	return NULL;
}

/* Fails if the allocation did. */
static json_t *made(struct reader *r, json_t *value)
{
	if (!value)
		fail_oom(r);
	return value;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* The end of the number that begins at r->p; NULL: there is none. */
static const char *number_end(const struct reader *r)
{
	const char *p = r->p + (*r->p == '-'), *from = p;

	p = skip_digits(p, r->end);
	if (p == from || (*from == '0' && p - from > 1))
		return NULL;
	if (p < r->end && *p == '.') {
		from = ++p;
		p = skip_digits(p, r->end);
		if (p == from)
			return NULL;
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = skip_digits(p, r->end);
		if (p == from)
			return NULL;
	}
	return p;
}

/* By Jansson, which does not depend on the locale. */
static json_t *read_number(struct reader *r)
{
	const char *from = r->p, *end = number_end(r);
	json_t *number;

	if (!end) {
		fail(r, "this is not a JSON number");
		return NULL;
	}
	number = end - from > NUMBER_MAX
			 ? NULL
			 : json_loadb(from, (size_t)(end - from), JSON_DECODE_ANY, NULL);
	if (!number)
		fail(r, "the number is too large, or has too many digits");
	r->p = end;
	return number;
}

static json_t *read_digits(struct reader *r)
{
	const char *p = r->p;
	json_int_t value = 0;

	while (p < r->end && is_digit(*p) && p - r->p < DIGITS_MAX)
		value = value * 10 + (*p++ - '0');
	if ((p - r->p > 1 && *r->p == '0') ||
	    (p < r->end && (is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E')))
		return read_number(r);
	r->p = p;
	return made(r, json_integer(value));
}

static json_t *read_word(struct reader *r)
{
	static const struct {
		const char *text;
		size_t len;
	} words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

	for (size_t i = 0; i < 3; i++) {
		if ((size_t)(r->end - r->p) < words[i].len ||
		    memcmp(r->p, words[i].text, words[i].len) != 0)
			continue;
		r->p += words[i].len;
		return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
	}
	fail(r, "expected a value");
	return NULL;
}

static json_t *read_value(struct reader *r)
{
	struct string s;
	char c = peek_octet(r);

	if (++r->values > JSON_VALUES_MAX) {
		*r->failure = (struct json_failure){.at = r->p, .has_too_many = true};
		return NULL;
	}
	if (c == '"') {
		r->p++;
		return read_string(r, &s) ? made(r, json_stringn_nocheck(s.text, s.len)) : NULL;
	}
	if (c == '{')
		return read_list(r, json_object(), '}', read_member);
	if (c == '[')
		return read_list(r, json_array(), ']', read_item);
	if (is_digit(c))
		return read_digits(r);
	return c == '-' ? read_number(r) : read_word(r);
}

/* An object or an array with nothing after it. */
static json_t *read_text(struct reader *r)
{
	char c = peek_octet(r);
	json_t *json;

	if (c != '{' && c != '[') {
		fail(r, "expected an object or an array");
		return NULL;
	}
	json = read_value(r);
	peek_octet(r);
	if (json && r->p < r->end) {
		fail(r, "the text does not end after the JSON value");
		json_decref(json);
		return NULL;
	}
	return json;
}

json_t *json_reader_read(const char *text, size_t len, struct json_failure *failure)
{
	struct reader r = {.p = text, .end = text + len, .failure = failure};
	json_t *json;

	*failure = (struct json_failure){0};
	json = read_text(&r);
	buf_deinit(&r.text);
	return json;
}
