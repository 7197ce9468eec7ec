#ifndef SERVER_MAIL_MAIL_DECODE_H
#define SERVER_MAIL_MAIL_DECODE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Decodes parts of a mail for display. The input may be any bytes; parts that are not encoded
 * correctly are kept unchanged. Linear time; the output is never longer than the input. */

struct slice {
	const char *p;
	size_t len;
};

/* Takes the next line from in, without its CRLF or LF. False: nothing left. */
bool slice_line(struct slice *in, struct slice *line);
/* s without white space and line ends at both ends. */
struct slice slice_trim(struct slice s);
/* True if s is this ASCII word, in any letter case. */
bool slice_is(struct slice s, const char *word);

/* Appends body, decoded by its Content-Transfer-Encoding; line ends become LF. */
void mail_decode_body(struct slice body, struct slice encoding, struct buf *out);
/* Appends an unfolded header value with its encoded words (RFC 2047) of UTF-8 and US-ASCII decoded.
 */
void mail_decode_words(struct slice value, struct buf *out);

#endif
