#ifndef SMTP_CLIENT_SESSION_SECRET_H
#define SMTP_CLIENT_SESSION_SECRET_H

#include "smtp/client/session_table.h"

/* Keeps the password out of transcripts and results. For the files session*.c only. */

/* True in AUTH, where commands and replies may hold the password. */
bool session_is_secret(const struct session *s);
/* Overwrites the password in the reply with "*": in clear, and in the encodings that we sent. */
void session_strike(const struct session *s, struct reply *r);

#endif
