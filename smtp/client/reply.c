/* Reads one SMTP reply from bytes as they arrive, and makes its text safe to show. */
#include "smtp/client/reply.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/base/utf8.h"

/* RFC 5321 4.2:
 *
 *	reply      = *( code "-" [ textstring ] CRLF ) code [ SP textstring ] CRLF
 *	code       = %x32-35 %x30-35 %x30-39
 *	textstring = 1*( %d09 / %d32-126 )
 *
 * Looser where real servers are: the second digit may be 0-9 ("571"), a bare LF ends a line, and
 * the text may hold any octet but LF. Strict in one point: every line has the same code. */

static enum reply_status refuse(struct reply *r, const char *error)
{
	r->error = error;
	return REPLY_BAD;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code, or 0. */
static int read_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
		return 0;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

static enum reply_status end_line(struct reply *r, const char *line, size_t len)
{
	int code;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	code = read_code(line, len);
	if (!code)
		return refuse(r, "no reply code");
	if (r->n_lines > 0 && code != r->code)
		return refuse(r, "different codes in one reply");
	r->n_lines++;
	r->code = code;
	if (r->n_lines == 1 && len > 4)
		enhanced_parse(line + 4, len - 4, &r->enhanced);
	if (len > 4)
		buf_append(&r->text, line + 4, len - 4);
	buf_char(&r->text, '\n');
	if (r->text.failed)
		return refuse(r, "out of memory");
	return len > 3 && line[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

/* Keeps the beginning of a line. */
static void keep_octets(struct reply *r, const char *bytes, size_t len)
{
	size_t room = sizeof(r->line) - r->line_len;

	if (len > room)
		len = room;
	memcpy(r->line + r->line_len, bytes, len);
	r->line_len += len;
}

enum reply_status reply_feed(struct reply *r, const char *bytes, size_t len, size_t *used)
{
	enum reply_status status = REPLY_MORE;

	*used = 0;
	while (status == REPLY_MORE && *used < len) {
		const char *from = bytes + *used;
		const char *end = memchr(from, '\n', len - *used);
		size_t n = end ? (size_t)(end - from) : len - *used;

		*used += n + (end ? 1 : 0);
		r->n_bytes += n + (end ? 1 : 0);
		if (r->n_bytes > REPLY_BYTES_MAX)
			return refuse(r, "longer than 64 KB");
		keep_octets(r, from, n);
		if (!end)
			break;
		status = end_line(r, r->line, r->line_len);
		r->line_len = 0;
	}
	return status;
}

void reply_reset(struct reply *r)
{
	r->code = 0;
	r->enhanced = (struct enhanced){0};
	r->n_lines = r->n_bytes = r->line_len = 0;
	r->error = NULL;
	buf_reset(&r->text);
}

void reply_deinit(struct reply *r)
{
	buf_deinit(&r->text);
	*r = (struct reply){0};
}

const char *reply_line(const struct reply *r, const char **cursor, size_t *len)
{
	const char *end = r->text.data + r->text.len;
	const char *line = *cursor ? *cursor : r->text.data;
	const char *lf;

	if (r->text.len == 0 || line == end)
		return NULL;
	lf = memchr(line, '\n', (size_t)(end - line));
	*len = (size_t)(lf - line);
	*cursor = lf + 1;
	return line;
}

/* Control characters, and characters that reorder or break the line. */
static bool is_unprintable(uint32_t rune)
{
	return rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || (rune >= 0x200b && rune <= 0x200f) ||
	       (rune >= 0x2028 && rune <= 0x202e) || (rune >= 0x2066 && rune <= 0x2069) ||
	       rune == 0xfeff;
}

/* Writes the printable form of the character at p. *used: the number of its octets. */
static size_t show_character(const char *p, size_t len, char out[12], size_t *used)
{
	static const char replacement[3] = {'\xef', '\xbf', '\xbd'};
	uint32_t rune = 0;
	size_t n = utf8_next(p, len, &rune);

	*used = n ? n : 1;
	if (n == 0) {
		memcpy(out, replacement, sizeof(replacement));
		return sizeof(replacement);
	}
	if (rune == '\t' || rune == '\n') {
		out[0] = ' ';
		return 1;
	}
	if (is_unprintable(rune))
		return (size_t)snprintf(out, 12, rune < 0x80 ? "\\x%02x" : "\\u%04x", rune);
	memcpy(out, p, n);
	return n;
}

void reply_escape(const char *bytes, size_t len, char *out, size_t size)
{
	size_t at = 0, used;

	for (size_t i = 0; i < len; i += used) {
		char shown[12];
		size_t n = show_character(bytes + i, len - i, shown, &used);

		if (at + n >= size)
			break;
		memcpy(out + at, shown, n);
		at += n;
	}
	if (size)
		out[at] = 0;
}

void reply_text(const struct reply *r, char *out, size_t size)
{
	size_t len = r->text.len;

	if (len > 0)
		len--;
	reply_escape(buf_text(&r->text), len, out, size);
}
