/* Reads strings of JSON. */
#include "api/json/json_string.h"

#include <stdint.h>
#include <string.h>

#include "server/base/hex.h"
#include "server/base/octets.h"
#include "server/base/utf8.h"

/* True for eight octets of ASCII that need no escape in a string. */
static bool is_plain_word(const char *p)
{
	uint64_t w = octets_load(p);

	return !octets_any(w | octets_below(w, 0x20) | octets_are(w, '"') | octets_are(w, '\\'));
}

/* Skips octets that need no escape. Then c->p is at a quote, a backslash or an octet that is not
 * allowed. */
static struct json_string read_run(struct json_cursor *c)
{
	const char *from = c->p;
	uint32_t unused;
	size_t n;

	while (c->p < c->end) {
		unsigned char octet = (unsigned char)*c->p;

		if (c->end - c->p >= 8 && is_plain_word(c->p)) {
			c->p += 8;
			continue;
		}
		if (octet == '"' || octet == '\\' || octet < 0x20)
			break;
		n = octet < 0x80 ? 1 : utf8_next(c->p, (size_t)(c->end - c->p), &unused);
		if (!n)
			break;
		c->p += n;
	}
	return (struct json_string){from, (size_t)(c->p - from)};
}

/* The four hex digits at c->p; -1: there are none. */
static int32_t read_unit(struct json_cursor *c)
{
	int32_t unit = 0;

	if (c->end - c->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*c->p++);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static void put_code_point(struct json_cursor *c, uint32_t cp)
{
	char octets[UTF8_MAX];

	buf_append(&c->text, octets, utf8_write(cp, octets));
}

/* After "\u". */
static bool read_code_point(struct json_cursor *c)
{
	static const char half[] = "this is half of a surrogate pair";
	const char *at = c->p - 2;
	int32_t high = read_unit(c), low;

	if (high < 0)
		return json_cursor_fail_at(c, at, "\\u needs four hex digits");
	if (high == 0)
		return json_cursor_fail_at(c, at, "\\u0000 is not allowed");
	if (high >= 0xDC00 && high < 0xE000)
		return json_cursor_fail_at(c, at, half);
	if (high < 0xD800 || high >= 0xE000) {
		put_code_point(c, (uint32_t)high);
		return true;
	}
	if (c->end - c->p < 6 || c->p[0] != '\\' || c->p[1] != 'u')
		return json_cursor_fail_at(c, at, half);
	c->p += 2;
	low = read_unit(c);
	if (low < 0xDC00 || low >= 0xE000)
		return json_cursor_fail_at(c, at, half);
	put_code_point(c, (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
	return true;
}

/* After a backslash. */
static bool read_escape(struct json_cursor *c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char name = c->p < c->end ? *c->p : 0;
	const char *at = name ? strchr(from, name) : NULL;

	if (!at && name != 'u')
		return json_cursor_fail(c, "a backslash must begin an escape, such as \\n or \\\"");
	c->p++;
	if (!at)
		return read_code_point(c);
	buf_char(&c->text, to[at - from]);
	return true;
}

/* At the octet that ended a run. */
static bool end_string(struct json_cursor *c)
{
	if (c->text.failed)
		return json_cursor_fail_oom(c);
	if (c->p < c->end && *c->p == '"') {
		c->p++;
		return true;
	}
	if (c->p < c->end && (unsigned char)*c->p < 0x20)
		return json_cursor_fail(
			c, "a control character in a string must be written as an escape");
	return json_cursor_fail(c, "the text is not UTF-8");
}

bool json_string_read(struct json_cursor *c, struct json_string *out)
{
	struct json_string run;

	*out = read_run(c);
	buf_reset(&c->text);
	while (c->p < c->end && *c->p == '\\') {
		if (c->text.len == 0)
			buf_append(&c->text, out->text, out->len);
		c->p++;
		if (!read_escape(c))
			return false;
		run = read_run(c);
		buf_append(&c->text, run.text, run.len);
		*out = (struct json_string){c->text.data, c->text.len};
	}
	return end_string(c);
}
