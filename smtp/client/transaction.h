#ifndef SMTP_CLIENT_TRANSACTION_H
#define SMTP_CLIENT_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "smtp/client/connection.h"

/* One mail: the result of each recipient, and the body as pieces to send, dot-stuffed (RFC 5321
 * 4.5.2) without a copy. Pure. */

enum transaction_mark {
	MARK_OPEN = 1,     /* no reply to RCPT yet */
	MARK_ACCEPTED = 2, /* RCPT got 2xx: the reply to the dot decides */
	MARK_SETTLED = 4,  /* the result is set */
};

#define MARK_UNSETTLED (MARK_OPEN | MARK_ACCEPTED)

/* A position in the mail. Segments: 0 head, 1 body, 2 the CRLF if the body lacks it, 3 the end. */
struct transaction_cursor {
	int segment;
	size_t at;
	bool is_stuffed; /* the extra dot before `at` is written */
};

/* Zeroed is valid. Memory is kept from mail to mail. */
struct transaction {
	struct connection_mail mail;
	struct connection_result *results;
	unsigned char *marks;
	size_t cap;
	size_t n_answered; /* replies to RCPT so far */
	size_t n_accepted;
	size_t bytes; /* size as in RFC 1870: with line ends, without dot-stuffing */
	bool is_8bit, is_dotted, lacks_crlf;
	struct transaction_cursor cursor;
};

/* Borrows mail until the next start. ERR_INPUT: an address contains octets that would end or extend
 * its command; there is no recipient; the head does not end in CRLF; or a CR or LF is not part of a
 * CRLF (it could fake the end of the mail). */
int transaction_start(struct transaction *t, const struct connection_mail *mail, struct err *e)
	__attribute__((warn_unused_result));
/* Frees the memory; the mail is borrowed and stays. */
void transaction_deinit(struct transaction *t);

/* RCPT i got 2xx: MARK_ACCEPTED. i counts from 0, in the order of mail->recipients. */
void transaction_accept(struct transaction *t, size_t i);
/* Copies the result of recipient i: MARK_SETTLED. */
void transaction_settle(struct transaction *t, size_t i, const struct connection_result *result);
/* Settles all recipients with one of these marks; MARK_SETTLED replaces earlier results. */
void transaction_settle_all(struct transaction *t, unsigned marks,
			    const struct connection_result *result);

/* The next pieces of head and body, at most max; 0 = everything is written. The result stays the
 * same until transaction_wrote. */
size_t transaction_pieces(const struct transaction *t, struct iovec *pieces, size_t max);
/* len octets of the pieces were sent. */
void transaction_wrote(struct transaction *t, size_t len);

#endif
