#ifndef SMTP_CLIENT_SESSION_HELLO_H
#define SMTP_CLIENT_SESSION_HELLO_H

#include "smtp/client/session_table.h"

/* From the greeting to a session that is ready: EHLO or HELO, STARTTLS (RFC 5321 4.1.1.1, RFC
 * 3207). For the files session*.c only. The functions are entries of session_table: a `say` adds
 * its command to s->out, a `hear` reads one whole reply and returns the next state. */

/* Forgets what was offered before: it does not count after STARTTLS (RFC 3207 4.2). */
void session_say_ehlo(struct session *s);
void session_say_helo(struct session *s);
void session_say_starttls(struct session *s);
/* If the greeting or the EHLO reply of an MX host has our own name, mail would come back to this
 * host. So the session ends. */
enum session_state session_hear_greeting(struct session *s, const struct reply *r);
/* 5xx leads to HELO (RFC 5321 3.2), unless TLS is required and missing, or AUTH is needed. */
enum session_state session_hear_ehlo(struct session *s, const struct reply *r);
enum session_state session_hear_helo(struct session *s, const struct reply *r);
/* A refusal ends the session if TLS is required; otherwise the session continues in clear. */
enum session_state session_hear_starttls(struct session *s, const struct reply *r);

#endif
