#ifndef SMTP_CLIENT_SESSION_HELLO_H
#define SMTP_CLIENT_SESSION_HELLO_H

#include "smtp/client/session_table.h"

/* From the greeting to a session that is ready: EHLO or HELO, STARTTLS (RFC 5321 4.1.1.1, RFC
 * 3207). For the files session*.c only. */

void session_say_ehlo(struct session *s);
void session_say_helo(struct session *s);
void session_say_starttls(struct session *s);
enum session_state session_hear_greeting(struct session *s, const struct reply *r);
enum session_state session_hear_ehlo(struct session *s, const struct reply *r);
enum session_state session_hear_helo(struct session *s, const struct reply *r);
enum session_state session_hear_starttls(struct session *s, const struct reply *r);

#endif
