#ifndef SERVER_MAIL_MESSAGE_H
#define SERVER_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/mail/address.h"

struct buf;

/* Builds the final bytes of a mail (RFC 5322, 2045-2049, 2183, 2231, 2392), all but the DKIM
 * header: text | html | alternative(text, html), inside related(.., inline parts) inside mixed(..,
 * attachments) as needed. 7-bit-safe transfer encodings only (7bit, quoted-printable, base64),
 * lines of at most 998 octets (header lines folded at 78 where that is possible), CRLF everywhere,
 * no bare CR or LF, one CRLF at the end. No Bcc field is ever written. All strings are UTF-8
 * without NUL; line ends of text and html may be LF, CR or CRLF. Control characters in any
 * header-bound string are refused (ERR_INPUT), whoever was meant to check before. */

struct message_part {
	const char *filename;     /* NULL or "": none; path parts are stripped */
	const char *content_type; /* NULL: application/octet-stream; type/subtype only */
	const char *content_id;   /* NULL: none; without angle brackets */
	bool is_inline;           /* goes into related when it has a content_id and there is html */
	const unsigned char *bytes;
	size_t len;
};

struct message_header {
	const char *name;
	const char *value;
};

struct message {
	const struct address *from; /* one */
	const struct address *to, *cc, *reply_to;
	size_t n_to, n_cc, n_reply_to;
	const char *subject; /* NULL: no Subject field */
	const char *text, *html;
	size_t text_len, html_len;
	const struct message_part *parts;
	size_t n_parts;
	const struct message_header *headers; /* custom, checked by message_check_header */
	size_t n_headers;
	const char *message_id; /* "<...@domain>" */
	int64_t date_ms;
};

/* Is this custom header allowed? ERR_INPUT with the rule: name is RFC 5322 ftext of at most 76
 * characters and none of the fields that Postern or the way of a mail writes (From, To, Cc, Bcc,
 * Subject, Date, Message-ID, Reply-To, Sender, Return-Path, Received, Received-SPF, Resent-*,
 * Delivered-To, Apparently-To, DKIM-Signature, DomainKey-Signature, ARC-*, Authentication-Results,
 * MIME-Version, Content-*); value has no control character and at most 2,000 octets
 * (8,000 in In-Reply-To, References and List-*). In-Reply-To,
 * References, List-*, Precedence, Auto-Submitted, X-* ... are fine; those of them that hold URIs or
 * ids must be ASCII with a space at least every 900 octets, because nothing in them can be encoded.
 */
int message_check_header(const char *name, const char *value, struct err *e);

/* type "/" subtype by the token grammar; multipart/ and message/ refused. ERR_INPUT. */
int message_check_content_type(const char *content_type, struct err *e);

/* Appends the mail to out. ERR_INPUT: anything message_check_header or address_parse would refuse,
 * a custom header given twice (whatever its case) or more than 100 of them, a NUL in a body, a
 * header section over 100 KB, or "larger than ..." when it does not fit out->limit. out is as
 * before then. Without to and cc the To field is "undisclosed-recipients:;". */
int message_build(const struct message *m, struct buf *out, struct err *e);

#endif
