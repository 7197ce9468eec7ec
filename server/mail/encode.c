/* Chooses and writes the transfer encoding of a body. */
#include "server/mail/encode.h"

#include <stdbool.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/octets.h"
#include "server/base/base64.h"
#include "server/base/utf8.h"

#define LINE_MAX_7BIT 998 /* RFC 5322 2.1.1 */
#define LINE_MAX_ENCODED 76
#define BASE64_LINE_BYTES 57
#define QP_MAY_ADD 12 /* octets, for texts that are shorter than a line */

/* Classes of octets: literal in each encoding, an equals sign, white space, a line end, or to be
 * escaped. */
enum octet { OCTET_ESCAPE, OCTET_LITERAL, OCTET_EQUALS, OCTET_SPACE, OCTET_END };

static enum octet octet_of(char c)
{
	switch (c) {
	case '=':
		return OCTET_EQUALS;
	case ' ':
	case '\t':
		return OCTET_SPACE;
	case '\r':
	case '\n':
		return OCTET_END;
	default:
		return c > ' ' && c < 0x7F ? OCTET_LITERAL : OCTET_ESCAPE;
	}
}

/* Some servers and mailbox formats change lines that begin with it. */
static bool begins_with_from(const char *p, const char *end)
{
	return end - p >= 5 && memcmp(p, "From ", 5) == 0;
}

/* The first CR or LF, or end. */
static const char *find_line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p)), *stop = lf ? lf : end;
	const char *cr = memchr(p, '\r', (size_t)(stop - p));

	return cr ? cr : stop;
}

/* Eight octets that are literal in each encoding. */
static bool is_literal_word(const char *p)
{
	uint64_t w = octets_load(p);

	return !octets_any(w | octets_below(w, 0x20) | octets_are(w, 0x7F) | octets_are(w, '='));
}

static bool fits_7bit(const char *line, const char *stop, const char *end)
{
	return stop - line <= LINE_MAX_7BIT && !begins_with_from(line, end);
}

/* Lengths of the encodings of a text, with their line ends. */
static size_t qp_len(size_t len, size_t n_escaped)
{
	size_t n = len + 2 * n_escaped;

	return n + n / LINE_MAX_ENCODED * 3;
}

static size_t base64_len(size_t len)
{
	return BASE64_LEN(len) + len / BASE64_LINE_BYTES * 2;
}

enum encode encode_choose(const char *text, size_t len)
{
	const char *line = text, *p = text, *end = text + len;
	size_t escaped = 0, equals = 0;
	bool fits = true;

	while (p < end) {
		if (end - p >= 8 && is_literal_word(p)) {
			p += 8;
			continue;
		}
		switch (octet_of(*p)) {
		case OCTET_END:
			fits = fits && fits_7bit(line, p, end);
			line = p + 1;
			break;
		case OCTET_ESCAPE:
			escaped++;
			break;
		case OCTET_EQUALS:
			equals++;
			break;
		case OCTET_LITERAL:
		case OCTET_SPACE:
			break;
		}
		p++;
	}
	if (fits && fits_7bit(line, end, end) && !escaped)
		return ENCODE_7BIT;
	return qp_len(len, escaped + equals) <= base64_len(len) * 4 / 3 + QP_MAY_ADD
		       ? ENCODE_QP
		       : ENCODE_BASE64;
}

const char *encode_name(enum encode how)
{
	switch (how) {
	case ENCODE_7BIT:
		return "7bit";
	case ENCODE_QP:
		return "quoted-printable";
	case ENCODE_BASE64:
		break;
	}
	return "base64";
}

/* Steps over one line end in any form; false at the end of the text. */
static bool skip_line_end(const char **p, const char *end)
{
	if (*p >= end)
		return false;
	if (**p == '\r' && end - *p > 1 && (*p)[1] == '\n')
		(*p)++;
	(*p)++;
	return true;
}

static void write_7bit(const char *p, const char *end, struct buf *out)
{
	for (;;) {
		const char *stop = find_line_end(p, end);

		buf_append(out, p, (size_t)(stop - p));
		p = stop;
		if (!skip_line_end(&p, end))
			return;
		buf_append(out, "\r\n", 2);
	}
}

/* The current line of quoted-printable. */
struct qp {
	struct buf *out;
	char line[LINE_MAX_ENCODED + 2];
	size_t len;
};

static void qp_flush(struct qp *q, const char *line_end, size_t len)
{
	memcpy(q->line + q->len, line_end, len);
	buf_append(q->out, q->line, q->len + len);
	q->len = 0;
}

/* Room for `need` columns and the "=" of a soft line break. */
static void qp_room(struct qp *q, size_t need)
{
	if (q->len + need > LINE_MAX_ENCODED - 1)
		qp_flush(q, "=\r\n", 3);
}

static void qp_escape(struct qp *q, char c)
{
	static const char hex[] = "0123456789ABCDEF";

	qp_room(q, 3);
	q->line[q->len++] = '=';
	q->line[q->len++] = hex[(unsigned char)c >> 4];
	q->line[q->len++] = hex[(unsigned char)c & 15];
}

static void qp_literal(struct qp *q, char c)
{
	qp_room(q, 1);
	/* A dot here needs dot-stuffing, and some mailbox formats change "From ": avoid both. */
	if (!q->len && (c == '.' || c == 'F')) {
		qp_escape(q, c);
		return;
	}
	q->line[q->len++] = c;
}

/* Writes one character, which stays on one line. Returns its number of octets. */
static size_t qp_character(struct qp *q, const char *p, size_t left)
{
	uint32_t cp;
	size_t n = utf8_next(p, left, &cp);

	if (!n)
		n = 1;
	qp_room(q, 3 * n);
	for (size_t i = 0; i < n; i++)
		qp_escape(q, p[i]);
	return n;
}

static void write_qp(const char *p, const char *end, struct buf *out)
{
	struct qp q = {.out = out};

	while (p < end) {
		switch (octet_of(*p)) {
		case OCTET_LITERAL:
			qp_literal(&q, *p++);
			break;
		case OCTET_SPACE:
			if (p + 1 == end || octet_of(p[1]) == OCTET_END)
				qp_escape(&q, *p++);
			else
				qp_literal(&q, *p++);
			break;
		case OCTET_END:
			skip_line_end(&p, end);
			qp_flush(&q, "\r\n", 2);
			break;
		case OCTET_EQUALS:
		case OCTET_ESCAPE:
			p += qp_character(&q, p, (size_t)(end - p));
			break;
		}
	}
	buf_append(out, q.line, q.len);
}

/* The current line of base64. A full line is kept until more follows: the last has no line end. */
struct b64 {
	struct buf *out;
	unsigned char group[BASE64_LINE_BYTES];
	size_t len;
	bool has_line;
};

static void b64_line(struct b64 *b, const unsigned char *bytes, size_t len)
{
	char line[2 + LINE_MAX_ENCODED] = "\r\n";
	size_t n;

	if (!len)
		return;
	n = base64_encode(line + 2, bytes, len);
	buf_append(b->out, b->has_line ? line : line + 2, b->has_line ? n + 2 : n);
	b->has_line = true;
}

static void b64_put(struct b64 *b, char c)
{
	b->group[b->len++] = (unsigned char)c;
	if (b->len == BASE64_LINE_BYTES) {
		b64_line(b, b->group, b->len);
		b->len = 0;
	}
}

static void write_base64(const char *p, const char *end, struct buf *out)
{
	struct b64 b = {.out = out};

	while (p < end) {
		if (octet_of(*p) != OCTET_END) {
			b64_put(&b, *p++);
			continue;
		}
		skip_line_end(&p, end);
		b64_put(&b, '\r');
		b64_put(&b, '\n');
	}
	b64_line(&b, b.group, b.len);
}

void encode_text(enum encode how, const char *text, size_t len, struct buf *out)
{
	switch (how) {
	case ENCODE_7BIT:
		write_7bit(text, text + len, out);
		break;
	case ENCODE_QP:
		write_qp(text, text + len, out);
		break;
	case ENCODE_BASE64:
		write_base64(text, text + len, out);
		break;
	}
}

void encode_bytes(const unsigned char *bytes, size_t len, struct buf *out)
{
	struct b64 b = {.out = out};

	for (; len > BASE64_LINE_BYTES; bytes += BASE64_LINE_BYTES, len -= BASE64_LINE_BYTES)
		b64_line(&b, bytes, BASE64_LINE_BYTES);
	b64_line(&b, bytes, len);
}
