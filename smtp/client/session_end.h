#ifndef SMTP_CLIENT_SESSION_END_H
#define SMTP_CLIENT_SESSION_END_H

#include "smtp/client/session_table.h"

/* How a session ends before its time. For the files session*.c only. */

/* A result that quotes the server's reply, after our `prefix` ("" = none). */
struct connection_result session_remote(const struct session *s, const struct reply *r,
					enum connection_outcome outcome, const char *prefix);
/* A result in our own words. */
struct connection_result session_local(const struct session *s, enum connection_outcome outcome,
				       const char *text);
/* The session cannot become ready. r: the reply that says why; NULL = `words` alone says it. */
enum session_state session_refuse(struct session *s, const struct reply *r, const char *words);
/* The server is this host itself. */
enum session_state session_loop(struct session *s);
/* A reply that cannot be one to our command. Nothing that the server said counts. */
enum session_state session_desync(struct session *s, const char *why);
enum session_state session_hear_421(struct session *s, const struct reply *r);

#endif
