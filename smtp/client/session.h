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
	SESSION_WAIT,   /* write the output of session_pieces, read, call session_hear */
	SESSION_SECURE, /* do the TLS handshake, then call session_secured */
	SESSION_READY,  /* session_send or session_quit */
	SESSION_FENCE,  /* the whole body is written: session_dot or session_drop */
	SESSION_DONE,   /* read session_results, then call session_next */
	SESSION_CLOSE,  /* over; try once to write the output of session_pieces, then close */
};

struct session_options {
	const char *helo_name;         /* for EHLO: one word of printable ASCII; NULL or "" = an
					  address literal (RFC 5321 4.1.3) */
	bool is_implicit_tls;          /* the handshake comes before the greeting */
	bool is_tls_required;          /* without TLS send only EHLO, STARTTLS and QUIT */
	bool may_starttls;             /* use STARTTLS if the server offers it */
	const char *user, *password;   /* NULL = no AUTH; copied, wiped after AUTH */
	bool may_auth_in_clear;        /* AUTH without TLS */
	bool is_mx;                    /* an MX host, not the operator's relay: if it has our
					  name, it is this host */
	struct transcript *transcript; /* gets everything except passwords; NULL = none;
					  borrowed */
};

/* ERR_INPUT: helo_name or the credentials do not fit into a command. */
int session_new(struct session **out, const struct session_options *options, struct err *e)
	__attribute__((warn_unused_result));
void session_free(struct session *s);

enum session_step session_step(const struct session *s);
/* The name of the stage for people ("greeting", "EHLO" ...), and its phase for decisions. After the
 * end: those of the last stage. */
const char *session_stage(const struct session *s);
enum connection_phase session_phase(const struct session *s);
/* The time limit of the whole stage, in seconds; 0 = no limit. The time starts again when
 * session_turn changes. */
int session_wait_s(const struct session *s);
unsigned session_turn(const struct session *s);

void session_hear(struct session *s, const char *bytes, size_t len);
/* The output to write now, at most max pieces; returns their number, 0 = nothing. The result stays
 * the same until session_wrote. After one octet of the dot is written, a lost connection means
 * OUTCOME_UNKNOWN. */
size_t session_pieces(const struct session *s, struct iovec *pieces, size_t max);
void session_wrote(struct session *s, size_t len);
/* Call once, before all other events. own_ip: the address of our end; "" = it has none. */
void session_connected(struct session *s, const char *own_ip);
/* The TLS handshake that SESSION_SECURE asked for succeeded. */
void session_secured(struct session *s);

/* At SESSION_READY only, else ERR_RETRY. ERR_INPUT: see transaction_start. mail is borrowed until
 * session_next. */
int session_send(struct session *s, const struct connection_mail *mail, struct err *e)
	__attribute__((warn_unused_result));
void session_dot(struct session *s);
void session_drop(struct session *s);
void session_next(struct session *s); /* after SESSION_DONE */

/* The connection broke: end of stream, reset, timeout. why: the text of the results. */
void session_lost(struct session *s, const char *why);
/* Ends a session that is not ready yet, or a transaction before its body. why: the text of the
 * failure, or of the results; they are OUTCOME_DEFERRED with PHASE_NONE. */
void session_give_up(struct session *s, const char *why);
/* Ends the session: with QUIT if it is idle, else at once. */
void session_quit(struct session *s);

/* One result for each recipient. Valid until the next session_send. */
const struct connection_result *session_results(const struct session *s, size_t *n);
/* Why the session ended before it became ready; NULL if it did become ready. */
const struct connection_result *session_failure(const struct session *s);

#endif
