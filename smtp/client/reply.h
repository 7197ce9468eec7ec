#ifndef SMTP_CLIENT_REPLY_H
#define SMTP_CLIENT_REPLY_H

#include <stddef.h>

#include "server/base/buf.h"
#include "server/route/enhanced.h"

/* One SMTP reply (RFC 5321 4.2), read as its octets arrive. The time is linear and the memory is
 * bounded: REPLY_LINE_MAX octets of each line are kept; a reply may have any number of lines, but
 * at most REPLY_BYTES_MAX octets. The text may be hostile: show it only by reply_text or
 * reply_escape. */

#define REPLY_LINE_MAX 512 /* RFC 5321 4.5.3.1.5 */
#define REPLY_BYTES_MAX 65536

enum reply_status { REPLY_MORE, REPLY_DONE, REPLY_BAD };

/* Zeroed is valid and empty. */
struct reply {
	int code;                 /* 200-599; 0 before the first line is complete */
	struct enhanced enhanced; /* of the first line; class 0 = none */
	size_t n_lines, n_bytes;
	struct buf text; /* the lines as they came, without codes, each ended by LF */
	char line[REPLY_LINE_MAX];
	size_t line_len;
	const char *error; /* after REPLY_BAD: the reason, static */
};

/* Reads up to the end of one reply. *used: the number of octets read. After REPLY_DONE or REPLY_BAD
 * call reply_reset before the next reply. */
enum reply_status reply_feed(struct reply *r, const char *bytes, size_t len, size_t *used);
void reply_reset(struct reply *r); /* keeps the memory */
void reply_deinit(struct reply *r);

/* Walks the lines of a complete reply; *cursor starts at NULL. Returns the line, not terminated;
 * NULL at the end. */
const char *reply_line(const struct reply *r, const char **cursor, size_t *len);

/* The whole text on one line, escaped and cut to size. */
void reply_text(const struct reply *r, char *out, size_t size);
/* Octets as printable UTF-8: control characters as \x1b or \u202e, broken UTF-8 as U+FFFD; cut
 * between characters. */
void reply_escape(const char *bytes, size_t len, char *out, size_t size);

#endif
