#ifndef SERVER_MAIL_HEADER_H
#define SERVER_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "server/mail/address.h"

struct buf;

/* Writes header fields (RFC 5322 2.2, 3.4), folded at 76 columns where a space allows it. Values
 * are one line of UTF-8 without controls, checked by the caller: see utf8_check_line. */

#define HEADER_LINE_MAX 76
#define HEADER_WORD_MAX 900 /* a longer word could exceed the 998 octets of a line */

/* A field that is being written. */
struct header {
	struct buf *out;
	size_t col; /* octets on the current line */
	bool has_token;
};

/* Writes "<name>:". Tokens follow, then header_end. */
void header_begin(struct header *h, struct buf *out, const char *name);
/* Writes a space, or a fold and a space, and the token, which is never broken. The first token is
 * on the line of the field name unless that is very long: some readers take a field that begins
 * with a fold for an empty one. */
void header_token(struct header *h, const char *token, size_t len);
/* Appends text without a space. */
void header_glue(struct header *h, const char *text);
/* Writes CRLF. */
void header_end(struct header *h);

/* A word of a structured value: it ends at a blank, after a comma outside angle brackets, and
 * between ">" and "<". Moves *text over blanks to the word; returns its length, 0 at the end. */
size_t header_word(const char **text);

/* Whole fields. A structured value is ASCII; its words have at most HEADER_WORD_MAX octets, and
 * one space is written between them. A text is unstructured: words that are not ASCII, too long or
 * look like encoded words become encoded words (RFC 2047). Blanks at its ends are dropped. */
void header_structured(struct buf *out, const char *name, const char *value);
void header_text(struct buf *out, const char *name, const char *value);
/* Display names that are not ASCII become encoded words. */
void header_addresses(struct buf *out, const char *name, const struct address *list, size_t n);

#endif
