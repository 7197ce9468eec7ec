#ifndef SERVER_MAIL_ENCODED_WORD_H
#define SERVER_MAIL_ENCODED_WORD_H

#include <stddef.h>

struct header;

/* Appends text (UTF-8) as encoded words (RFC 2047) of at most 75 characters, folded so that no line
 * exceeds 76. No word splits a code point; only the last has base64 padding. Q or B, whichever is
 * shorter. The words are valid in a phrase, too (RFC 2047 section 5 (3)). */
void encoded_word_write(struct header *h, const char *text, size_t len);

#endif
