/* Writes JSON as text. */
#include "server/base/json_write.h"

#include <string.h>

#include "server/base/buf.h"

/* RFC 8259 7: characters that must be escaped. */
static void write_escaped(struct buf *out, unsigned char c)
{
	static const char letters[] =
		"\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the octet, the letter after the backslash */

	for (const char *p = letters; *p; p += 2) {
		if ((unsigned char)*p != c)
			continue;
		buf_char(out, '\\');
		buf_char(out, p[1]);
		return;
	}
	buf_fmt(out, "\\u%04X", c);
}

void json_write_string(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *from = text;

	buf_char(out, '"');
	for (const char *p = text; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_append(out, from, (size_t)(p - from));
		write_escaped(out, c);
		from = p + 1;
	}
	buf_append(out, from, (size_t)(end - from));
	buf_char(out, '"');
}

void json_write_name(struct buf *out, const char *name)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_char(out, ',');
	json_write_string(out, name, strlen(name));
	buf_char(out, ':');
}

void json_write_member(struct buf *out, const char *name, const char *text)
{
	json_write_name(out, name);
	json_write_string(out, text, strlen(text));
}
