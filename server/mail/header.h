#ifndef SERVER_MAIL_HEADER_H
#define SERVER_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "server/mail/address.h"

struct buf;

/* Writes header fields (RFC 5322 2.2, 3.4), folded at 76 columns wherever there is a space to fold
 * at. Values are one line of UTF-8, checked by the caller: see utf8_check_line. */

#define HEADER_LINE_MAX 76
#define HEADER_WORD_MAX 900 /* longer ones could pass the 998 octets of a line */

/* A field in the making. */
struct header {
	struct buf *out;
	size_t col; /* octets on the current line */
	bool has_token;
};

void header_begin(struct header *h, struct buf *out, const char *name);
/* A space, or a fold and a space; then the token, which is never broken. The first stays behind the
 * colon unless the name is very long: some readers take a field that begins with a fold for an
 * empty one. */
void header_token(struct header *h, const char *token, size_t len);
/* Right behind what was written last. */
void header_glue(struct header *h, const char *text);
void header_end(struct header *h);

/* Whole fields. The value of _plain is ASCII words of at most HEADER_WORD_MAX; runs of spaces
 * become one. _text is unstructured: what is not ASCII, longer than word_max or in danger of being
 * changed by the next reader becomes encoded words (RFC 2047). */
void header_plain(struct buf *out, const char *name, const char *value);
void header_text(struct buf *out, const char *name, const char *value, size_t word_max);
void header_addresses(struct buf *out, const char *name, const struct address *list, size_t n);

#endif
