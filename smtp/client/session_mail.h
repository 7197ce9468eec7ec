#ifndef SMTP_CLIENT_SESSION_MAIL_H
#define SMTP_CLIENT_SESSION_MAIL_H

#include "smtp/client/session_table.h"

/* A transaction: MAIL, RCPT, DATA, the body, the dot; then RSET or QUIT (RFC 5321 4.1.1). For the
 * files session*.c only. The functions are entries of session_table: a `say` adds its command to
 * s->out, a `hear` reads one whole reply and returns the next state. A reply with another class
 * than the command allows ends the session (session_desync). */

/* From MAIL to the reply to the dot. */
bool session_is_in_transaction(const struct session *s);
/* With SIZE (RFC 1870) and BODY=8BITMIME (RFC 6152) if the server offers them. With PIPELINING, all
 * RCPT and DATA follow in the same write (RFC 2920). */
void session_say_mail(struct session *s);
/* The next recipient; not with PIPELINING. */
void session_say_rcpt(struct session *s);
void session_say_data(struct session *s);
/* The end of the mail. From here on the server may have the mail (RFC 5321 4.2.5). */
void session_say_dot(struct session *s);
void session_say_rset(struct session *s);
void session_say_quit(struct session *s);
/* A refused MAIL is the result of all recipients. */
enum session_state session_hear_mail(struct session *s, const struct reply *r);
/* A refusal is the result of this recipient alone. */
enum session_state session_hear_rcpt(struct session *s, const struct reply *r);
/* A refusal is the result of all recipients that RCPT accepted. */
enum session_state session_hear_data(struct session *s, const struct reply *r);
/* A reply before the dot was sent: only a refusal is possible. It closes the session. */
enum session_state session_hear_early(struct session *s, const struct reply *r);
/* The result of all recipients that RCPT accepted. */
enum session_state session_hear_dot(struct session *s, const struct reply *r);
/* The server replied 354 although it accepted no recipient: its reply to the dot has no meaning
 * (RFC 2920 3.1). */
enum session_state session_hear_empty_dot(struct session *s, const struct reply *r);
enum session_state session_hear_rset(struct session *s, const struct reply *r);
/* To QUIT: any reply closes. */
enum session_state session_hear_closing(struct session *s, const struct reply *r);

#endif
