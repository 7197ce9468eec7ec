#ifndef SMTP_CLIENT_SESSION_TABLE_H
#define SMTP_CLIENT_SESSION_TABLE_H

#include "server/base/buf.h"
#include "smtp/client/reply.h"
#include "smtp/client/session.h"
#include "smtp/client/transaction.h"
#include "smtp/client/transcript.h"

/* Inside of a session, shared by session.c (the machine), session_hello.c and session_mail.c (what
 * is said and heard), session_end.c and session_table.c. Nobody else includes it. */

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
	STATE_EMPTY_DOT,
	STATE_DONE,
	STATE_RSET,
	STATE_QUIT,
	STATE_CLOSED,
	STATES
};

/* What the server's last EHLO offered. */
struct session_offer {
	bool has_pipelining, has_starttls, has_8bitmime, has_size, has_plain, has_login;
	size_t size_limit; /* 0 = none told */
};

struct session {
	enum session_state state;
	enum session_state stage; /* the last one that counts as a stage */
	enum session_state after; /* where DONE leads */
	unsigned turn;
	size_t n_owed; /* replies to what was said and not yet answered */
	struct reply reply;
	struct buf out;
	size_t out_at;
	struct session_offer offer;
	struct transaction mail;
	size_t n_mails;
	size_t block_bytes; /* of the body since the block's deadline began */
	bool has_mail_open; /* MAIL was accepted and neither data nor RSET ended it */
	bool is_dot_out;
	bool is_implicit_tls, is_greeted, is_secure, was_ready;
	bool is_secret; /* out holds a password */
	bool is_polite; /* QUIT on closing */
	bool is_tls_required, may_starttls, may_auth_in_clear, finds_loops;
	char helo_name[256];
	char *user, *password;
	struct connection_result failure;
	struct transcript *transcript;
};

struct session_rule {
	const char *name;
	int wait_s; /* RFC 5321 4.5.3.2, where it says */
	enum session_step step;
	void (*say)(struct session *s);
	enum session_state (*hear)(struct session *s, const struct reply *r);
	enum attempt_step measured;
};

extern const struct session_rule session_table[STATES];

/* session.c */
void session_enter(struct session *s, enum session_state next);
enum session_state session_done(struct session *s, enum session_state after);
void session_forget_password(struct session *s);
/* One line, and one reply more that is owed. */
void session_command(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* session_secret.c: what must not be told. */
bool session_is_secret(const struct session *s);
/* Strikes the password, as it is and as we said it, out of the reply. */
void session_strike(const struct session *s, struct reply *r);
void session_append_base64(struct buf *out, const unsigned char *bytes, size_t len);
/* RFC 4616: NUL user NUL password, in base64. */
void session_append_plain(const struct session *s, struct buf *out);

/* session_end.c */
/* Ends the attempt to become ready: the server's reply (NULL = none) behind our words. */
enum session_state session_refuse(struct session *s, const struct reply *r, const char *words);
/* The server is ourselves. */
enum session_state session_loop(struct session *s);
/* What came is no answer to what was said: nothing of it can be trusted. */
enum session_state session_desync(struct session *s, const char *why);
enum session_state session_hear_421(struct session *s, const struct reply *r);

/* session_hello.c: from the greeting to ready. */
void session_say_ehlo(struct session *s);
void session_say_helo(struct session *s);
void session_say_starttls(struct session *s);
void session_say_plain(struct session *s);
void session_say_plain_again(struct session *s);
void session_say_login(struct session *s);
void session_say_user(struct session *s);
void session_say_password(struct session *s);
enum session_state session_hear_greeting(struct session *s, const struct reply *r);
enum session_state session_hear_ehlo(struct session *s, const struct reply *r);
enum session_state session_hear_helo(struct session *s, const struct reply *r);
enum session_state session_hear_starttls(struct session *s, const struct reply *r);
enum session_state session_hear_plain(struct session *s, const struct reply *r);
enum session_state session_hear_login(struct session *s, const struct reply *r);
enum session_state session_hear_user(struct session *s, const struct reply *r);
enum session_state session_hear_password(struct session *s, const struct reply *r);

/* session_mail.c: transactions. */
void session_say_mail(struct session *s);
void session_say_rcpt(struct session *s);
void session_say_data(struct session *s);
void session_say_dot(struct session *s);
void session_say_rset(struct session *s);
void session_say_quit(struct session *s);
enum session_state session_hear_mail(struct session *s, const struct reply *r);
enum session_state session_hear_rcpt(struct session *s, const struct reply *r);
enum session_state session_hear_data(struct session *s, const struct reply *r);
enum session_state session_hear_early(struct session *s, const struct reply *r);
enum session_state session_hear_dot(struct session *s, const struct reply *r);
enum session_state session_hear_empty_dot(struct session *s, const struct reply *r);
enum session_state session_hear_rset(struct session *s, const struct reply *r);
enum session_state session_hear_closing(struct session *s, const struct reply *r);

#endif
