/* Folds header fields and decides which of their words need encoding. */
#include "server/mail/header.h"

#include <string.h>

#include "server/base/buf.h"
#include "server/mail/encoded_word.h"

#define FIRST_TOKEN_COL 50
#define NAME_TOKEN_MAX 60 /* a display name up to this length is not folded */

void header_begin(struct header *h, struct buf *out, const char *name)
{
	*h = (struct header){.out = out, .col = strlen(name) + 1};
	buf_append(out, name, h->col - 1);
	buf_char(out, ':');
}

void header_token(struct header *h, const char *token, size_t len)
{
	if (h->col + 1 + len > HEADER_LINE_MAX && (h->has_token || h->col > FIRST_TOKEN_COL)) {
		buf_append(h->out, "\r\n", 2);
		h->col = 0;
	}
	buf_char(h->out, ' ');
	buf_append(h->out, token, len);
	h->col += 1 + len;
	h->has_token = true;
}

void header_glue(struct header *h, const char *text)
{
	size_t len = strlen(text);

	buf_append(h->out, text, len);
	h->col += len;
}

void header_end(struct header *h)
{
	buf_append(h->out, "\r\n", 2);
}

static void write_words(struct header *h, const char *text, size_t len)
{
	const char *end = text + len, *stop;

	for (const char *p = text; p < end; p = stop) {
		while (p < end && *p == ' ')
			p++;
		for (stop = p; stop < end && *stop != ' ';)
			stop++;
		if (stop > p)
			header_token(h, p, (size_t)(stop - p));
	}
}

void header_plain(struct buf *out, const char *name, const char *value)
{
	struct header h;

	header_begin(&h, out, name);
	write_words(&h, value, strlen(value));
	header_end(&h);
}

/* Part of an unstructured value, [begin, end). */
struct span {
	size_t begin, end;
};

static void span_add(struct span *s, size_t at)
{
	if (s->begin == s->end)
		s->begin = at;
	s->end = at + 1;
}

/* What must be encoded: from the first word that needs it to the last, because white space between
 * encoded words vanishes. Spaces at the ends and double spaces need it too. */
static struct span find_span(const char *text, size_t len, size_t word_max)
{
	struct span s = {0, 0};
	size_t word = 0;
	bool is_in_danger;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ' ') {
			is_in_danger = i == 0 || i + 1 == len || text[i - 1] == ' ';
			word = i + 1;
		} else {
			is_in_danger = (unsigned char)text[i] >= 0x80 || i - word >= word_max ||
				       (text[i] == '?' && i > word && text[i - 1] == '=');
		}
		if (is_in_danger)
			span_add(&s, i);
	}
	if (s.begin == s.end)
		return (struct span){len, len};
	while (s.begin > 0 && text[s.begin - 1] != ' ')
		s.begin--;
	while (s.end < len && text[s.end] != ' ')
		s.end++;
	return s;
}

void header_text(struct buf *out, const char *name, const char *value, size_t word_max)
{
	struct header h;
	size_t len = strlen(value);
	struct span s = find_span(value, len, word_max);

	header_begin(&h, out, name);
	write_words(&h, value, s.begin);
	if (s.end > s.begin) {
		encoded_word_write(&h, value + s.begin, s.end - s.begin);
		write_words(&h, value + s.end, len - s.end);
	}
	header_end(&h);
}

enum phrase { PHRASE_ATOMS, PHRASE_QUOTED, PHRASE_ENCODED };

/* How a display name is written (RFC 5322 3.2.5). Readers disagree about folds and runs of spaces
 * in quoted strings, so those are encoded. */
static enum phrase phrase_of(const char *name, size_t len)
{
	enum phrase phrase = PHRASE_ATOMS;

	if (len > NAME_TOKEN_MAX || strstr(name, "=?") || strstr(name, "  "))
		return PHRASE_ENCODED;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < ' ' || name[i] > '~')
			return PHRASE_ENCODED;
		if (strchr("()<>[]:;@\\,.\"", name[i]))
			phrase = PHRASE_QUOTED;
	}
	return phrase;
}

static size_t quote(const char *name, size_t len, char *out)
{
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '"' || name[i] == '\\')
			out[n++] = '\\';
		out[n++] = name[i];
	}
	out[n++] = '"';
	return n;
}

static void write_name(struct header *h, const char *name)
{
	size_t len = strlen(name);
	char quoted[2 * NAME_TOKEN_MAX + 2];

	switch (phrase_of(name, len)) {
	case PHRASE_ATOMS:
		header_token(h, name, len);
		break;
	case PHRASE_QUOTED:
		len = quote(name, len, quoted);
		header_token(h, quoted, len);
		break;
	case PHRASE_ENCODED:
		encoded_word_write(h, name, len);
		break;
	}
}

static void write_address(struct header *h, const struct address *a, bool is_last)
{
	char token[ADDRESS_EMAIL_MAX + 4];
	size_t len = strlen(a->email), n = 0;

	if (*a->name) {
		write_name(h, a->name);
		token[n++] = '<';
	}
	memcpy(token + n, a->email, len);
	n += len;
	if (*a->name)
		token[n++] = '>';
	if (!is_last)
		token[n++] = ',';
	header_token(h, token, n);
}

void header_addresses(struct buf *out, const char *name, const struct address *list, size_t n)
{
	struct header h;

	header_begin(&h, out, name);
	for (size_t i = 0; i < n; i++)
		write_address(&h, &list[i], i + 1 == n);
	header_end(&h);
}
