/* Writes text that is not ASCII into header fields. */
#include "server/mail/encoded_word.h"

#include <stdbool.h>
#include <string.h>

#include "server/base/base64.h"
#include "server/mail/header.h"
#include "server/base/utf8.h"

#define PREFIX_LEN 10 /* =?utf-8?Q? */
#define FRAME_LEN (PREFIX_LEN + 2)
#define WORD_MAX 75
#define WORD_MIN (FRAME_LEN + 12) /* one code point of four octets, in Q */

static bool is_q_literal(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == ' ' || (c && strchr("!*+-/", c));
}

/* Characters that one code point takes in Q. */
static size_t q_cost(const char *p, size_t octets)
{
	return octets == 1 && is_q_literal(*p) ? 1 : 3 * octets;
}

static size_t step(const char *p, size_t left)
{
	uint32_t cp;
	size_t n = utf8_next(p, left, &cp);

	return n ? n : 1;
}

static bool q_is_shorter(const char *text, size_t len)
{
	size_t cost = 0;

	for (size_t i = 0, n; i < len; i += n) {
		n = step(text + i, len - i);
		cost += q_cost(text + i, n);
	}
	return cost <= BASE64_LEN(len);
}

/* Octets of the longest beginning of text whose encoding fits into room characters; 0 if there is
 * none. It ends after a code point, and in B, unless it is all of text, after a multiple of three
 * octets: GMime stops decoding at padding that is not in the last word. */
static size_t fit(const char *text, size_t len, size_t room, bool is_q)
{
	size_t used = 0, best = 0, i = 0;

	while (i < len) {
		size_t n = step(text + i, len - i);

		used = is_q ? used + q_cost(text + i, n) : BASE64_LEN(i + n);
		if (used > room)
			break;
		i += n;
		if (is_q || i == len || i % 3 == 0)
			best = i;
	}
	return best;
}

static size_t q_encode(char *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ' ') {
			out[n++] = '_';
		} else if (is_q_literal(text[i])) {
			out[n++] = text[i];
		} else {
			out[n++] = '=';
			out[n++] = hex[(unsigned char)text[i] >> 4];
			out[n++] = hex[(unsigned char)text[i] & 15];
		}
	}
	return n;
}

static void write_word(struct header *h, const char *text, size_t len, bool is_q)
{
	char word[WORD_MAX + 1] = "=?utf-8?B?";
	size_t n = PREFIX_LEN;

	if (is_q)
		word[PREFIX_LEN - 2] = 'Q';
	n += is_q ? q_encode(word + n, text, len) : base64_encode(word + n, text, len);
	word[n++] = '?';
	word[n++] = '=';
	header_token(h, word, n);
}

/* Chooses the text of the next word: as much as fits on this line, or else on the next one. */
static size_t next_word(const struct header *h, const char *text, size_t len, bool is_q)
{
	size_t room = h->col + 1 < HEADER_LINE_MAX ? HEADER_LINE_MAX - h->col - 1 : 0;
	size_t n = room >= WORD_MIN ? fit(text, len, room - FRAME_LEN, is_q) : 0;

	return n ? n : fit(text, len, WORD_MAX - FRAME_LEN, is_q);
}

void encoded_word_write(struct header *h, const char *text, size_t len)
{
	bool is_q = q_is_shorter(text, len);

	while (len > 0) {
		size_t n = next_word(h, text, len, is_q);
		bool is_q_here = is_q || n == 0;

		if (n == 0) /* no code point ends at a multiple of three octets; Q has no padding */
			n = step(text, len);
		write_word(h, text, n, is_q_here);
		text += n;
		len -= n;
	}
}
