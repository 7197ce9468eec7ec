/* Folds header fields and decides which of their words need encoding. */
#include "server/mail/header.h"

#include <stdio.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/encoded_word.h"

#define FIRST_TOKEN_COL 50
#define BLANKS_MAX 8

void header_begin(struct header *h, struct buf *out, const char *name)
{
	*h = (struct header){.out = out, .col = strlen(name) + 1};
	buf_append(out, name, h->col - 1);
	buf_char(out, ':');
}

/* n_blanks: spaces before the token, after the fold if there is one. */
static void put_token(struct header *h, size_t n_blanks, const char *token, size_t len)
{
	if (h->col + n_blanks + len > HEADER_LINE_MAX &&
	    (h->has_token || h->col > FIRST_TOKEN_COL)) {
		buf_append(h->out, "\r\n", 2);
		h->col = 0;
	}
	for (size_t i = 0; i < n_blanks; i++)
		buf_char(h->out, ' ');
	buf_append(h->out, token, len);
	h->col += n_blanks + len;
	h->has_token = true;
}

void header_token(struct header *h, const char *token, size_t len)
{
	put_token(h, 1, token, len);
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

/* Blanks between words are kept, so that the reader sees the text as it was given. */
static void write_words(struct header *h, const char *text, size_t len)
{
	const char *end = text + len, *stop;

	for (const char *p = text; p < end; p = stop) {
		size_t n_blanks = 0;

		for (; p < end && *p == ' '; p++)
			n_blanks++;
		for (stop = p; stop < end && *stop != ' ';)
			stop++;
		if (stop > p)
			put_token(h, h->has_token && n_blanks ? n_blanks : 1, p,
				  (size_t)(stop - p));
	}
}

size_t header_word(const char **text)
{
	const char *word = *text + strspn(*text, " ");
	bool is_in_brackets = false;
	size_t len = 0;

	*text = word;
	for (; word[len] && word[len] != ' '; len++) {
		char c = word[len];

		if (c == '<' && len && word[len - 1] == '>')
			return len;
		if (c == '<' || c == '>')
			is_in_brackets = c == '<';
		if (c == ',' && !is_in_brackets)
			return len + 1;
	}
	return len;
}

void header_structured(struct buf *out, const char *name, const char *value)
{
	struct header h;
	size_t len;

	header_begin(&h, out, name);
	for (const char *p = value; (len = header_word(&p)) > 0; p += len)
		header_token(&h, p, len);
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

/* True if text begins like an encoded word (RFC 2047 2), which a reader would decode. */
static bool looks_encoded(const char *text)
{
	return text[0] == '=' && text[1] == '?' && strstr(text + 2, "?=");
}

/* Encodes whole words with the blanks between them, because readers drop blanks between encoded
 * words. Of several blanks between a plain and an encoded word, all but one are encoded. */
static struct span widen(const char *text, size_t len, struct span s)
{
	while (s.begin > 0 && text[s.begin - 1] != ' ')
		s.begin--;
	while (s.begin > 1 && text[s.begin - 2] == ' ')
		s.begin--;
	while (s.end < len && text[s.end] != ' ')
		s.end++;
	while (s.end + 1 < len && text[s.end + 1] == ' ')
		s.end++;
	return s;
}

/* Finds the part to encode: from the first to the last word that needs it. A word needs it if it is
 * not ASCII or too long for a line, or is next to a long run of blanks, which could fill a line. */
static struct span find_span(const char *text, size_t len)
{
	struct span s = {0, 0};
	size_t word = 0, blanks = 0;

	for (size_t i = 0; i < len; i++) {
		blanks = text[i] == ' ' ? blanks + 1 : 0;
		word = blanks ? 0 : word + 1;
		if ((unsigned char)text[i] >= 0x80 || word > HEADER_WORD_MAX ||
		    blanks > BLANKS_MAX || looks_encoded(text + i))
			span_add(&s, i);
	}
	return s.begin == s.end ? (struct span){len, len} : widen(text, len, s);
}

void header_text(struct buf *out, const char *name, const char *value)
{
	struct header h;
	struct span s;
	size_t len;

	value += strspn(value, " ");
	for (len = strlen(value); len && value[len - 1] == ' ';)
		len--;
	s = find_span(value, len);
	header_begin(&h, out, name);
	write_words(&h, value, s.begin);
	if (s.end > s.begin) {
		encoded_word_write(&h, value + s.begin, s.end - s.begin);
		write_words(&h, value + s.end, len - s.end);
	}
	header_end(&h);
}

enum phrase { PHRASE_ATOMS, PHRASE_QUOTED, PHRASE_ENCODED };

/* Chooses the form of a display name (RFC 5322 3.2.5). OpenSMTPD rewrites quoted pairs, which
 * breaks a DKIM signature: names that need them are encoded. */
static enum phrase phrase_of(const char *name)
{
	enum phrase phrase = strstr(name, "  ") ? PHRASE_QUOTED : PHRASE_ATOMS;

	for (const char *p = name; *p; p++) {
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\' || looks_encoded(p))
			return PHRASE_ENCODED;
		if (strchr("()<>[]:;@,.", *p))
			phrase = PHRASE_QUOTED;
	}
	return phrase;
}

static void write_name(struct header *h, const char *name)
{
	char quoted[ADDRESS_NAME_MAX + 3];
	size_t len = strlen(name);

	switch (phrase_of(name)) {
	case PHRASE_ATOMS:
		write_words(h, name, len);
		break;
	case PHRASE_QUOTED: /* one token: readers disagree about folds in quoted strings */
		snprintf(quoted, sizeof(quoted), "\"%s\"", name);
		header_token(h, quoted, len + 2);
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
