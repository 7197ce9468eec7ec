#ifndef SERVER_MAIL_MESSAGE_H
#define SERVER_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/mail/address.h"

struct buf;

/* Builds the bytes of a mail (RFC 5322, 2045-2049, 2183, 2231, 2392), without the DKIM header. As
 * needed: mixed(related(alternative(text, html, alternative parts), inline parts), attachments).
 * 7-bit-safe transfer encodings only (7bit, quoted-printable, base64), lines of at most 998 octets
 * (header lines folded at 78 where that is possible), CRLF everywhere, no bare CR or LF, one CRLF
 * at the end. No Bcc field is ever written. All strings are UTF-8 without NUL; line ends of text
 * and html may be LF, CR or CRLF. Control characters in strings of the header are refused
 * (ERR_INPUT), also when callers have checked them. */

enum part_place {
	PART_ATTACHMENT,
	PART_INLINE,      /* in related when it has a content_id and there is html */
	PART_ALTERNATIVE, /* another form of the text, like a calendar invitation: a text type */
};

struct message_part {
	const char *filename;     /* NULL or "": none; "/" and "\" become "_" */
	const char *content_type; /* NULL: application/octet-stream; see content_type.h */
	const char *content_id;   /* NULL: none; without angle brackets */
	enum part_place place;
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

/* Checks that this custom header is allowed. ERR_INPUT names the rule. name: RFC 5322 ftext of at
 * most 76 characters, and no field that Postern or mail servers write (From, To, Cc, Bcc, Subject,
 * Date, Message-ID, Reply-To, Sender, Return-Path, Received, Received-SPF, Resent-*, Delivered-To,
 * Apparently-To, DKIM-Signature, DomainKey-Signature, ARC-*, Authentication-Results, MIME-Version,
 * Content-*). value: no control character, at most 2,000 octets; 8,000 in headers that hold URIs or
 * ids (In-Reply-To, References, List-*). These must be ASCII, in pieces of at most 900 octets (see
 * header_word), because nothing in them can be encoded. */
int message_check_header(const char *name, const char *value, struct err *e);
int message_check_filename(const char *name, size_t len, struct err *e);

/* Appends the mail to out. ERR_INPUT: anything that message_check_header or address_parse would
 * refuse, a custom header given twice (in any case) or more than 100 of them, a NUL in a body, a
 * header section over 100 KB, or "larger than ..." when it does not fit out->limit; out is
 * unchanged then. Without to and cc no To field is written (RFC 5322 3.6 allows that). */
int message_build(const struct message *m, struct buf *out, struct err *e);

#endif
