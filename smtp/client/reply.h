#ifndef SMTP_CLIENT_REPLY_H
#define SMTP_CLIENT_REPLY_H

#include <stddef.h>

#include "server/base/buf.h"
#include "server/route/enhanced.h"

/* One SMTP reply (RFC 5321 4.2), read as its bytes arrive. Linear and bounded: of each line
 * REPLY_LINE_MAX bytes are kept, more lines or bytes than the limits make the reply bad. What a
 * server wrote is hostile: show it only by reply_text or reply_escape. */

#define REPLY_LINE_MAX 512 /* RFC 5321 4.5.3.1.5 */
#define REPLY_LINES_MAX 100
#define REPLY_BYTES_MAX 65536

enum reply_status { REPLY_MORE, REPLY_DONE, REPLY_BAD };

/* Zeroed is valid and empty. */
struct reply {
	int code;                 /* 200-599; of the first line until done */
	struct enhanced enhanced; /* of the first line; class 0 = none */
	size_t n_lines, n_bytes;
	struct buf text; /* the lines as they came, without codes, each ended by LF */
	char line[REPLY_LINE_MAX];
	size_t line_len;
	const char *fault; /* why it is bad */
};

/* Reads up to the end of one reply; *used says how many bytes that took. After DONE or BAD call
 * reply_reset before the next. */
enum reply_status reply_feed(struct reply *r, const char *bytes, size_t len, size_t *used);
void reply_reset(struct reply *r); /* keeps the memory */
void reply_deinit(struct reply *r);

/* Walks the lines: *cursor starts at NULL. The line (not terminated) or NULL at the end. */
const char *reply_line(const struct reply *r, const char **cursor, size_t *len);

/* The whole text on one line, escaped and cut to size. */
void reply_text(const struct reply *r, char *out, size_t size);
/* Bytes as printable ASCII and UTF-8: control characters as \x1b or \u202e, broken UTF-8 as U+FFFD,
 * cut between characters. */
void reply_escape(const char *bytes, size_t len, char *out, size_t size);

#endif
