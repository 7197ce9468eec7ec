#ifndef SERVER_MAIL_MAIL_DECODE_H
#define SERVER_MAIL_MAIL_DECODE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Undoes the encodings of a mail for showing. The input is any bytes: what is not well encoded is
 * kept as it stands. Linear time; never longer than the input. */

struct slice {
	const char *p;
	size_t len;
};

/* Takes the next line from in, without its CRLF or LF. False: nothing left. */
bool slice_line(struct slice *in, struct slice *line);
/* Without spaces, tabs and line ends around it. */
struct slice slice_trim(struct slice s);
/* Equal to an ASCII word, whatever the letter case? */
bool slice_is(struct slice s, const char *word);

/* Appends body, decoded by its Content-Transfer-Encoding; line ends become LF. */
void mail_decode_body(struct slice body, struct slice encoding, struct buf *out);
/* Appends an unfolded header value with its encoded words (RFC 2047) of UTF-8 and US-ASCII decoded.
 */
void mail_decode_words(struct slice value, struct buf *out);

#endif
