/* Decodes base64, quoted-printable and encoded words of received mail. */
#include "server/mail/mail_decode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/base64.h"
#include "server/base/buf.h"
#include "server/base/hex.h"

#define WORD_MAX 200 /* RFC 2047 2 allows 75; longer text is no encoded word */

/* ---- slices ---- */

bool slice_line(struct slice *in, struct slice *line)
{
	const char *end;

	if (!in->len)
		return false;
	end = memchr(in->p, '\n', in->len);
	line->p = in->p;
	line->len = end ? (size_t)(end - in->p) : in->len;
	in->p += line->len + (end ? 1 : 0);
	in->len -= line->len + (end ? 1 : 0);
	if (end && line->len && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_space(s.p[s.len - 1]))
		s.len--;
	while (s.len && is_space(*s.p)) {
		s.p++;
		s.len--;
	}
	return s;
}

bool slice_is(struct slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

/* ---- bodies ---- */

/* The octet of "=XX" at i; -1 if there is none. */
static int escaped(struct slice s, size_t i)
{
	return s.p[i] != '=' || s.len - i < 3 ? -1 : hex_octet(s.p + i + 1);
}

static void append_quoted(struct slice line, struct buf *out)
{
	size_t i;
	int c;

	for (i = 0; i < line.len; i++) {
		c = escaped(line, i);
		buf_char(out, c < 0 ? line.p[i] : (char)c);
		i += c < 0 ? 0 : 2;
	}
}

static void decode_quoted_printable(struct slice body, struct buf *out)
{
	struct slice line;
	bool has_end;

	while (slice_line(&body, &line)) {
		has_end = line.p + line.len < body.p;
		while (line.len && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t'))
			line.len--;
		if (line.len && line.p[line.len - 1] == '=') {
			line.len--;
			has_end = false;
		}
		append_quoted(line, out);
		if (has_end)
			buf_char(out, '\n');
	}
}

/* Decodes into new memory; false when it is not base64 or there is no memory. */
static bool unbase64(struct slice s, struct buf *out)
{
	struct buf plain = {0};
	unsigned char *to;
	size_t i, len = 0;
	bool ok;

	for (i = 0; i < s.len; i++)
		if (!is_space(s.p[i]))
			buf_char(&plain, s.p[i]);
	to = plain.failed ? NULL : malloc(BASE64_ROOM(plain.len) + 1);
	ok = to && base64_decode(buf_text(&plain), plain.len, to, &len, NULL) == 0;
	if (ok)
		buf_append(out, to, len);
	free(to);
	buf_deinit(&plain);
	return ok;
}

static void decode_plain(struct slice body, struct buf *out)
{
	struct slice line;

	while (slice_line(&body, &line)) {
		buf_append(out, line.p, line.len);
		if (line.p + line.len < body.p)
			buf_char(out, '\n');
	}
}

static void decode_base64(struct slice body, struct buf *out)
{
	struct buf bytes = {0};

	if (unbase64(body, &bytes))
		decode_plain((struct slice){buf_text(&bytes), bytes.len}, out);
	else
		decode_plain(body, out);
	buf_deinit(&bytes);
}

void mail_decode_body(struct slice body, struct slice encoding, struct buf *out)
{
	if (slice_is(encoding, "base64"))
		decode_base64(body, out);
	else if (slice_is(encoding, "quoted-printable"))
		decode_quoted_printable(body, out);
	else
		decode_plain(body, out);
}

/* ---- encoded words ---- */

/* Takes the part before the next '?'. */
static bool until_mark(struct slice *rest, struct slice *part)
{
	const char *mark = memchr(rest->p, '?', rest->len);

	if (!mark)
		return false;
	*part = (struct slice){rest->p, (size_t)(mark - rest->p)};
	rest->len -= part->len + 1;
	rest->p = mark + 1;
	return true;
}

static bool is_known_charset(struct slice charset)
{
	const char *star = memchr(charset.p, '*', charset.len); /* a language, RFC 2231 5 */

	if (star)
		charset.len = (size_t)(star - charset.p);
	return slice_is(charset, "utf-8") || slice_is(charset, "us-ascii");
}

static bool decode_word(struct slice encoding, struct slice text, struct buf *out)
{
	size_t i;

	if (slice_is(encoding, "b"))
		return unbase64(text, out);
	if (!slice_is(encoding, "q"))
		return false;
	for (i = 0; i < text.len; i++) {
		int c = escaped(text, i);

		buf_char(out, c >= 0 ? (char)c : text.p[i] == '_' ? ' ' : text.p[i]);
		i += c < 0 ? 0 : 2;
	}
	return true;
}

/*
 * RFC 2047 2:
 *	encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
 *
 * Appends the encoded word at the front of s, decoded. Returns its length; 0 if there is none.
 */
static size_t take_word(struct slice s, struct buf *out)
{
	struct slice rest = {s.p + 2, s.len - 2}, charset, encoding, text;

	if (rest.len > WORD_MAX)
		rest.len = WORD_MAX;
	if (!until_mark(&rest, &charset) || !until_mark(&rest, &encoding) ||
	    !until_mark(&rest, &text))
		return 0;
	if (!rest.len || *rest.p != '=' || !is_known_charset(charset) ||
	    !decode_word(encoding, text, out))
		return 0;
	return (size_t)(rest.p + 1 - s.p);
}

static size_t spaces(struct slice s)
{
	size_t n = 0;

	while (n < s.len && is_space(s.p[n]))
		n++;
	return n;
}

static bool begins_word(struct slice s)
{
	return s.len > 2 && s.p[0] == '=' && s.p[1] == '?';
}

/* White space between two encoded words is not shown (RFC 2047 6.2): append it only
 * when no encoded word follows. */
void mail_decode_words(struct slice value, struct buf *out)
{
	struct slice gap = {value.p, 0};
	bool after_word = false;
	size_t n;

	while (value.len) {
		struct buf word = {0};

		n = begins_word(value) ? take_word(value, &word) : 0;
		if (!(n && after_word))
			buf_append(out, gap.p, gap.len);
		buf_append(out, buf_text(&word), n ? word.len : 0);
		buf_deinit(&word);
		after_word = n > 0;
		if (!n) {
			n = 1;
			buf_char(out, *value.p);
		}
		value.p += n;
		value.len -= n;
		gap = (struct slice){value.p, after_word ? spaces(value) : 0};
		value.p += gap.len;
		value.len -= gap.len;
	}
	buf_append(out, gap.p, gap.len);
}
