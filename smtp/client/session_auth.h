#ifndef SMTP_CLIENT_SESSION_AUTH_H
#define SMTP_CLIENT_SESSION_AUTH_H

#include "smtp/client/session_table.h"

/* AUTH PLAIN and LOGIN (RFC 4954, RFC 4616). For the files session*.c only. */

/* Returns the state that begins AUTH. Refuses the session if the server offers no mechanism that we
 * have, or the password would be sent without TLS. */
enum session_state session_choose_auth(struct session *s);
/* RFC 4616: NUL user NUL password, in base64. */
void session_append_plain(const struct session *s, struct buf *out);
void session_append_base64(struct buf *out, const void *bytes, size_t len);
void session_say_plain(struct session *s);
void session_say_plain_again(struct session *s);
void session_say_login(struct session *s);
void session_say_user(struct session *s);
void session_say_password(struct session *s);
enum session_state session_hear_plain(struct session *s, const struct reply *r);
enum session_state session_hear_login(struct session *s, const struct reply *r);
enum session_state session_hear_user(struct session *s, const struct reply *r);
enum session_state session_hear_password(struct session *s, const struct reply *r);

#endif
