#ifndef SMTP_CLIENT_SESSION_MAIL_H
#define SMTP_CLIENT_SESSION_MAIL_H

#include "smtp/client/session_table.h"

/* A transaction: MAIL, RCPT, DATA, the body, the dot; then RSET or QUIT (RFC 5321 4.1.1). For the
 * files session*.c only. */

bool session_is_in_transaction(const struct session *s);
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
