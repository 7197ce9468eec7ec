/* Reads UTF-8 strictly, and finds code points that must not be in a header. */
#include "server/base/utf8.h"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Reads the lead octet c. Returns the length of the sequence; 0: c is no lead octet. *cp gets the
 * payload bits of c, *least the lowest code point that needs this length. */
static size_t lead(unsigned char c, uint32_t *cp, uint32_t *least)
{
	if (c < 0x80) {
		*cp = c;
		*least = 0;
		return 1;
	}
	if (c >= 0xC2 && c < 0xE0) {
		*cp = c & 0x1FU;
		*least = 0x80;
		return 2;
	}
	if (c >= 0xE0 && c < 0xF0) {
		*cp = c & 0x0FU;
		*least = 0x800;
		return 3;
	}
	if (c >= 0xF0 && c < 0xF5) {
		*cp = c & 0x07U;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t utf8_next(const char *p, size_t len, uint32_t *cp)
{
	uint32_t value, least;
	size_t n = len ? lead((unsigned char)*p, &value, &least) : 0;

	if (!n || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!is_continuation(p[i]))
			return 0;
		value = value << 6 | ((unsigned char)p[i] & 0x3FU);
	}
	if (value < least || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return 0;
	*cp = value;
	return n;
}

size_t utf8_write(uint32_t cp, char out[UTF8_MAX])
{
	static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0}; /* by length */
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3F));
	out[0] = (char)(leads[n] | cp);
	return n;
}

bool utf8_is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x2028 || cp == 0x2029;
}

bool utf8_is_bidi_control(uint32_t cp)
{
	return (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

static int check(const char *text, size_t len, const char *what, bool is_name, struct err *e)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t cp = 0;

		n = utf8_next(text + i, len - i, &cp);
		if (!n)
			return err_set(e, ERR_INPUT, "%s is not valid UTF-8", what);
		if (utf8_is_control(cp))
			return err_set(e, ERR_INPUT,
				       "%s has a line break or another control character", what);
		if (is_name && utf8_is_bidi_control(cp))
			return err_set(e, ERR_INPUT,
				       "%s has a character that overrides the writing direction",
				       what);
	}
	return 0;
}

int utf8_check_line(const char *text, size_t len, const char *what, struct err *e)
{
	return check(text, len, what, false, e);
}

int utf8_check_name(const char *text, size_t len, const char *what, struct err *e)
{
	return check(text, len, what, true, e);
}
