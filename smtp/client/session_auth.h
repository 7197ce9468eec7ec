#ifndef SMTP_CLIENT_SESSION_AUTH_H
#define SMTP_CLIENT_SESSION_AUTH_H

#include "smtp/client/session_table.h"

/* AUTH PLAIN and LOGIN (RFC 4954, RFC 4616). For the files session*.c only. The functions are
 * entries of session_table: a `say` adds its command to s->out, a `hear` reads one whole reply and
 * returns the next state. A `say` with a user name or password sets s->is_secret, and transcripts
 * mask its line. The password is forgotten after the last reply. */

/* Returns the state that begins AUTH. Refuses the session if the server offers no mechanism that we
 * have, or the password would be sent without TLS. */
enum session_state session_choose_auth(struct session *s);
/* RFC 4616: NUL user NUL password, in base64. */
void session_append_plain(const struct session *s, struct buf *out);
/* No copy of the bytes stays in memory, as long as out does not grow. */
void session_append_base64(struct buf *out, const void *bytes, size_t len);
/* PLAIN with its initial response. */
void session_say_plain(struct session *s);
/* The response alone, for servers that ignore the initial one and ask for it. */
void session_say_plain_again(struct session *s);
/* LOGIN: the server asks for the user name, then for the password, each in base64. */
void session_say_login(struct session *s);
void session_say_user(struct session *s);
void session_say_password(struct session *s);
/* 502 and 504 lead to LOGIN if that is offered. */
enum session_state session_hear_plain(struct session *s, const struct reply *r);
enum session_state session_hear_login(struct session *s, const struct reply *r);
enum session_state session_hear_user(struct session *s, const struct reply *r);
/* The last reply of both mechanisms. A refusal ends the session, and is no result of a recipient.
 */
enum session_state session_hear_password(struct session *s, const struct reply *r);

#endif
