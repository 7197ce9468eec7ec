#ifndef SMTP_CLIENT_SESSION_TABLE_H
#define SMTP_CLIENT_SESSION_TABLE_H

#include "server/base/buf.h"
#include "smtp/client/reply.h"
#include "smtp/client/session.h"
#include "smtp/client/session_offer.h"
#include "smtp/client/transaction.h"
#include "smtp/client/transcript.h"

/* The inside of a session. Each file has a header of its own; only the files session*.c include
 *them:
 *
 *	session.c         walks the table: the only place that changes the state
 *	session_table.c   the conversation: one row a state
 *	session_hello.c   from the greeting to a session that is ready
 *	session_auth.c    AUTH
 *	session_secret.c  keeps the password out of transcripts and results
 *	session_mail.c    transactions
 *	session_outcome.c what a reply means for a recipient
 *	session_end.c     all ways in which a session ends early
 *
 * `say` functions append commands to s->out. `hear` functions get one complete reply and return the
 * next state. */

enum session_state {
	STATE_CONNECT,
	STATE_GREETING,
	STATE_EHLO,
	STATE_HELO,
	STATE_STARTTLS,
	STATE_TLS,
	STATE_AUTH_PLAIN,
	STATE_AUTH_PLAIN_AGAIN,
	STATE_AUTH_LOGIN,
	STATE_AUTH_USER,
	STATE_AUTH_PASSWORD,
	STATE_IDLE,
	STATE_MAIL,
	STATE_RCPT,
	STATE_DATA,
	STATE_BODY,
	STATE_FENCE,
	STATE_DOT,
	STATE_EMPTY_DOT, /* no recipient was accepted, but the server wants a mail */
	STATE_DONE,
	STATE_RSET,
	STATE_QUIT,
	STATE_CLOSED,
	STATES
};

struct session {
	enum session_state state;
	enum session_state stage; /* the last state but DONE and CLOSED */
	enum session_state after; /* the state that follows DONE */
	unsigned turn;
	size_t n_owed; /* commands without a reply yet */
	struct reply reply;
	struct buf out;
	size_t out_at; /* of out: octets already written */
	struct session_offer offer;
	struct transaction mail;
	size_t n_mails;
	size_t block_bytes; /* of the body, since the block's deadline began */
	bool has_mail_open; /* MAIL was accepted, and neither a dot nor RSET ended the mail */
	bool is_dot_out;    /* at least one octet of the dot was written */
	bool is_implicit_tls, is_greeted, is_secure, was_ready;
	bool is_secret; /* out holds a password */
	bool is_polite; /* send QUIT before closing */
	bool is_tls_required, may_starttls, may_auth_in_clear, is_mx;
	char helo_name[256];
	char *user, *password; /* NULL = none, or wiped */
	struct connection_result failure;
	struct transcript *transcript;
};

struct session_rule {
	const char *name;
	enum connection_phase phase;
	int wait_s; /* longest wait for a reply, RFC 5321 4.5.3.2; 0 = no limit */
	enum session_step step;
	void (*say)(struct session *s);
	enum session_state (*hear)(struct session *s, const struct reply *r);
};

extern const struct session_rule session_table[STATES];

/* ---- session.c ---- */

/* Changes the state, and calls `say` of the new state. */
void session_enter(struct session *s, enum session_state next);
/* The transaction is over: returns STATE_DONE, which leads to `after`. */
enum session_state session_done(struct session *s, enum session_state after);
void session_forget_password(struct session *s);
/* Appends a command, whose CRLF is part of fmt; one more reply is expected. */
void session_command(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The first digit of the code: 2 for 2xx, and so on. */
int session_reply_class(const struct reply *r);

/* ---- session_outcome.c ---- */

/* The outcome that the reply means for a recipient. */
enum connection_outcome session_outcome(const struct session *s, const struct reply *r);

#endif
