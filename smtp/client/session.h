#ifndef SMTP_CLIENT_SESSION_H
#define SMTP_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "smtp/client/connection.h"

/* The client side of an SMTP conversation (RFC 5321, 1870, 2920, 3207, 4954, 6152) without I/O:
 * octets go in by session_hear and come out by session_pieces. Look at session_step after every
 * call. The conversation is a table (session_table.c).
 *
 * Only the extensions of the last EHLO count. A command goes out when all replies to earlier
 * commands are read; the exception is the pipelined group MAIL, RCPT, DATA. A reply that no command
 * asked for ends the session. */

struct session;
struct transcript;

enum session_step {
	SESSION_WAIT,   /* write what session_pieces gives, read, call session_hear */
	SESSION_SECURE, /* do the TLS handshake, then call session_secured */
	SESSION_READY,  /* session_send or session_quit */
	SESSION_FENCE,  /* the whole body is written: session_dot or session_drop */
	SESSION_DONE,   /* read session_results, then call session_next */
	SESSION_CLOSE,  /* over; try once to write what session_pieces still gives */
};

struct session_options {
	const char *helo_name;         /* for EHLO: one word of printable ASCII; NULL or "" = an
					  address literal (RFC 5321 4.1.3) */
	bool is_implicit_tls;          /* the handshake comes before the greeting */
	bool is_tls_required;          /* in clear nothing but EHLO, STARTTLS, QUIT */
	bool may_starttls;             /* where the server offers it */
	const char *user, *password;   /* NULL = no AUTH; copied, wiped after AUTH */
	bool may_auth_in_clear;        /* AUTH without TLS */
	bool is_mx;                    /* a stranger's MX host, not the operator's relay: if it
					  has our name it is this host */
	struct transcript *transcript; /* gets all but passwords; NULL = none; borrowed */
};

/* ERR_INPUT: helo_name or the credentials do not fit into a command. */
int session_new(struct session **out, const struct session_options *options, struct err *e)
	__attribute__((warn_unused_result));
void session_free(struct session *s);

enum session_step session_step(const struct session *s);
/* The stage's name for people ("greeting", "EHLO" ...) and its phase for decisions. At the end:
 * those of the last stage. */
const char *session_stage(const struct session *s);
enum connection_phase session_phase(const struct session *s);
/* How long the stage may take in all, in seconds; 0 = no limit. The time begins anew when
 * session_turn changes. */
int session_wait_s(const struct session *s);
unsigned session_turn(const struct session *s);

void session_hear(struct session *s, const char *bytes, size_t len);
/* What is to be written now, at most max pieces; 0 = nothing. The same until session_wrote. As soon
 * as one octet of the dot is written, a lost connection means OUTCOME_UNKNOWN. */
size_t session_pieces(const struct session *s, struct iovec *pieces, size_t max);
void session_wrote(struct session *s, size_t len);
/* Once, first. own_ip: of our end of the connection; "" = it has none. */
void session_connected(struct session *s, const char *own_ip);
void session_secured(struct session *s);

/* At SESSION_READY only, else ERR_RETRY. ERR_INPUT: see transaction_start. mail is borrowed until
 * session_next. */
int session_send(struct session *s, const struct connection_mail *mail, struct err *e)
	__attribute__((warn_unused_result));
void session_dot(struct session *s);
void session_drop(struct session *s);
void session_next(struct session *s); /* after SESSION_DONE */

/* The connection broke: end of stream, reset, timeout. why: words for the results. */
void session_lost(struct session *s, const char *why);
/* We end the session: by QUIT when it is idle, else at once. */
void session_quit(struct session *s);

/* One result a recipient. Valid until the next session_send. */
const struct connection_result *session_results(const struct session *s, size_t *n);
/* Why the session ended before it was ever ready; NULL if it was. */
const struct connection_result *session_failure(const struct session *s);

#endif
