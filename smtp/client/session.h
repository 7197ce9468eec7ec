#ifndef SMTP_CLIENT_SESSION_H
#define SMTP_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "server/base/err.h"
#include "smtp/client/connection.h"

/* What an SMTP client says and hears (RFC 5321, 1870, 2920, 3207, 4954, 6152), without any I/O:
 * bytes in by session_hear, bytes out by session_pieces. The conversation is a table
 * (session_table.c). After every call look at session_step.
 *
 * Capabilities count only from the last EHLO. Nothing is said while bytes of the server are unread
 * or replies are missing, but for the pipelined MAIL, RCPT, DATA. */

struct session;
struct transcript;

enum session_step {
	SESSION_WAIT,   /* write what session_pieces gives, read, feed session_hear */
	SESSION_SECURE, /* do the TLS handshake now, then session_secured */
	SESSION_READY,  /* session_send or session_quit */
	SESSION_FENCE,  /* all of the body is written: session_dot or session_drop */
	SESSION_DONE,   /* read session_results, then session_next */
	SESSION_CLOSE,  /* over; what session_pieces still gives may be tried once */
};

struct session_options {
	const char *helo_name;
	bool is_implicit_tls;        /* the handshake comes before the greeting */
	bool is_tls_required;        /* nothing but EHLO and STARTTLS in clear */
	bool may_starttls;           /* where the server offers it */
	const char *user, *password; /* NULL = no AUTH; copied, wiped after AUTH */
	bool may_auth_in_clear;
	bool finds_loops;              /* a server with our helo_name is ourselves: 5.4.6 */
	struct transcript *transcript; /* hears of all but passwords; NULL = none */
};

/* ERR_INPUT: helo_name or the credentials cannot stand in a command. */
int session_new(struct session **out, const struct session_options *options, struct err *e)
	__attribute__((warn_unused_result));
void session_free(struct session *s);

enum session_step session_step(const struct session *s);
/* The stage's name ("greeting", "EHLO", ... the last one before the end), how long its reply may
 * take in all (0 = no limit), and a number that changes whenever that time starts anew. */
const char *session_stage(const struct session *s);
int session_wait_s(const struct session *s);
unsigned session_turn(const struct session *s);

void session_hear(struct session *s, const char *bytes, size_t len);
/* What is to be written now, at most max pieces; 0 = nothing. The same until session_wrote: once
 * bytes of the dot are written (or lie with TLS), a lost connection means unknown. */
size_t session_pieces(const struct session *s, struct iovec *pieces, size_t max);
void session_wrote(struct session *s, size_t len);
void session_connected(struct session *s); /* once, first */
void session_secured(struct session *s);

/* Only at SESSION_READY. mail is borrowed until session_next. */
int session_send(struct session *s, const struct connection_mail *mail, struct err *e)
	__attribute__((warn_unused_result));
void session_dot(struct session *s);
void session_drop(struct session *s);
void session_next(struct session *s); /* after SESSION_DONE */

/* The connection broke: end of stream, reset, timeout. why is our words. */
void session_lost(struct session *s, const char *why);
/* We end it: QUIT when idle, else at once. */
void session_quit(struct session *s);

const struct connection_result *session_results(const struct session *s, size_t *n);
/* Why it ended before it was ever ready; NULL if it was. */
const struct connection_result *session_failure(const struct session *s);

#endif
