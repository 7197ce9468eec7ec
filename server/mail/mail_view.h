#ifndef SERVER_MAIL_MAIL_VIEW_H
#define SERVER_MAIL_MAIL_VIEW_H

#include <stddef.h>

#include <jansson.h>

/* Reads a mail (RFC 5322, MIME) into JSON for developers. The input is any bytes; nesting, parts
 * and header fields are limited, the rest is not read. Linear time. The caller owns the value.
 *
 *	{"subject": string or null, decoded,
 *	 "text": the first text/plain that is not an attachment, decoded, line ends LF, or null,
 *	 "html": the same of text/html,
 *	 "headers": [[name, value], ...] unfolded, not decoded,
 *	 "raw": the mail; octets that are not UTF-8 as U+FFFD}
 *
 * NULL: out of memory. */
json_t *mail_view(const char *mail, size_t len);

#endif
