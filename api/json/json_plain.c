/* A reader of plain JSON (RFC 8259) into Jansson's values.
 *
 *	value  = object / array / string / digits / true / false / null
 *	object = "{" [ string ":" value *( "," string ":" value ) ] "}"
 *	array  = "[" [ value *( "," value ) ] "]"
 *	string = quote *( octet from 0x20 on, in UTF-8 / "\" escape ) quote */
#include "api/json/json_plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/hex.h"
#include "server/base/octets.h"
#include "server/base/utf8.h"

#define DIGITS_MAX 18 /* fit into 63 bits */

struct reader {
	const char *p, *end;
	struct buf text; /* the last string, when it had escapes */
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

/* After "\u". NUL and a surrogate without its other half are not plain. */
static bool read_code_point(struct reader *r)
{
	int32_t high = read_unit(r), low;

	if (high <= 0 || (high >= 0xDC00 && high < 0xE000))
		return false;
	if (high < 0xD800 || high >= 0xE000) {
		put_code_point(&r->text, (uint32_t)high);
		return true;
	}
	if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return false;
	r->p += 2;
	low = read_unit(r);
	if (low < 0xDC00 || low >= 0xE000)
		return false;
	put_code_point(&r->text, (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
	return true;
}

/* After a backslash. */
static bool read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = r->p < r->end ? *r->p++ : 0;
	const char *at = c ? strchr(from, c) : NULL;

	if (c == 'u')
		return read_code_point(r);
	if (at)
		buf_char(&r->text, to[at - from]);
	return at != NULL;
}

/* *out points into the body, or into r->text until the next string is read. */
static bool read_string(struct reader *r, struct string *out)
{
	struct string run;

	if (!take_octet(r, '"'))
		return false;
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
	return !r->text.failed && r->p < r->end && *r->p++ == '"';
}

/* ---- the other values ---- */

static bool read_member(struct reader *r, json_t *object)
{
	size_t before = json_object_size(object);
	struct string name;
	char kept[64];
	json_t *value;

	if (!read_string(r, &name) || name.len >= sizeof(kept) || !take_octet(r, ':'))
		return false;
	memcpy(kept, name.text, name.len);
	kept[name.len] = 0;
	value = read_value(r);
	/* The number of members does not grow if the name is a duplicate. */
	return value && json_object_set_new_nocheck(object, kept, value) == 0 &&
	       json_object_size(object) == before + 1;
}

static bool read_item(struct reader *r, json_t *array)
{
	json_t *value = read_value(r);

	return value && json_array_append_new(array, value) == 0;
}

static json_t *read_list(struct reader *r, json_t *into, char end,
			 bool (*read)(struct reader *r, json_t *into))
{
	r->p++;
	if (!into || take_octet(r, end))
		return into;
	do {
		if (!read(r, into)) {
			json_decref(into);
			return NULL;
		}
	} while (take_octet(r, ','));
	if (take_octet(r, end))
		return into;
	json_decref(into);
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A longer number, a fraction and an exponent are not plain. */
static json_t *read_digits(struct reader *r)
{
	const char *from = r->p;
	json_int_t value = 0;

	while (r->p < r->end && is_digit(*r->p) && r->p - from < DIGITS_MAX)
		value = value * 10 + (*r->p++ - '0');
	if (r->p - from > 1 && *from == '0')
		return NULL;
	if (r->p < r->end && (is_digit(*r->p) || *r->p == '.' || *r->p == 'e' || *r->p == 'E'))
		return NULL;
	return json_integer(value);
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
	return NULL;
}

static json_t *read_value(struct reader *r)
{
	struct string s;
	char c = peek_octet(r);

	if (c == '"')
		return read_string(r, &s) ? json_stringn_nocheck(s.text, s.len) : NULL;
	if (c == '{')
		return read_list(r, json_object(), '}', read_member);
	if (c == '[')
		return read_list(r, json_array(), ']', read_item);
	return is_digit(c) ? read_digits(r) : read_word(r);
}

json_t *json_plain(const char *text, size_t len)
{
	struct reader r = {.p = text, .end = text + len};
	json_t *json = NULL;
	char c = peek_octet(&r);

	if (c == '{' || c == '[')
		json = read_value(&r);
	peek_octet(&r);
	if (json && r.p < r.end) {
		json_decref(json);
		json = NULL;
	}
	buf_deinit(&r.text);
	return json;
}
