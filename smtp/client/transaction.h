#ifndef SMTP_CLIENT_TRANSACTION_H
#define SMTP_CLIENT_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "smtp/client/connection.h"

/* One mail on its way to its recipients: what each of them was answered, and the body as the pieces
 * that go on the wire, dot-stuffed (RFC 5321 4.5.2) without a copy. */

enum transaction_mark {
	MARK_OPEN = 1,     /* RCPT not answered */
	MARK_ACCEPTED = 2, /* RCPT answered 2xx: waits for the dot */
	MARK_SETTLED = 4,
};

#define MARK_UNSETTLED (MARK_OPEN | MARK_ACCEPTED)

/* A place in the mail: segment 0 head, 1 body, 2 the CRLF that a body may lack, 3 the end. */
struct transaction_cursor {
	int segment;
	size_t at;
	bool is_stuffed; /* the extra dot before `at` is out */
};

/* Zeroed is valid. The memory of results is kept from mail to mail. */
struct transaction {
	struct connection_mail mail;
	struct connection_result *results;
	unsigned char *marks;
	size_t cap;
	size_t n_answered; /* RCPT replies heard */
	size_t n_accepted;
	size_t bytes; /* as SIZE counts them (RFC 1870): with line ends, without stuffing */
	bool is_8bit, is_dotted, lacks_crlf;
	struct transaction_cursor cursor;
};

/* ERR_INPUT: an address holds what would end or extend its command, there is no recipient, or the
 * body has a CR or LF that is not part of a CRLF (it could fake the end of the mail). */
int transaction_start(struct transaction *t, const struct connection_mail *mail, struct err *e)
	__attribute__((warn_unused_result));
void transaction_deinit(struct transaction *t);

/* What a reply with this code means for a recipient. 552 at RCPT is temporary (RFC 5321
 * 4.5.3.1.10); codes about our own conversation or login (503, 53x) never bounce a mail. */
enum connection_outcome transaction_outcome(int code, bool is_rcpt);
void transaction_accept(struct transaction *t, size_t i);
void transaction_settle(struct transaction *t, size_t i, enum connection_outcome outcome, int code,
			const char *text);
/* Settles all recipients with one of these marks; MARK_SETTLED overrides. */
void transaction_settle_all(struct transaction *t, unsigned marks, enum connection_outcome outcome,
			    int code, const char *text);

/* The next pieces of head and body; 0 = all is out. They are the same until transaction_wrote. */
size_t transaction_pieces(const struct transaction *t, struct iovec *pieces, size_t max);
void transaction_wrote(struct transaction *t, size_t len);

#endif
