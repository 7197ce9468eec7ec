#ifndef SMTP_CLIENT_SESSION_END_H
#define SMTP_CLIENT_SESSION_END_H

#include "smtp/client/session_table.h"

/* All ways in which a session ends early. For the files session*.c only. The functions return the
 * next state. */

/* A result with the server's reply as its text, after `prefix` ("" = none). */
struct connection_result session_remote(const struct session *s, const struct reply *r,
					enum connection_outcome outcome, const char *prefix);
/* A result with a text of ours. */
struct connection_result session_local(const struct session *s, enum connection_outcome outcome,
				       const char *text);
/* The session cannot become ready. r: the reply that is the reason; NULL = the reason is `words`.
 */
enum session_state session_refuse(struct session *s, const struct reply *r, const char *words);
/* The server is this host itself. */
enum session_state session_loop(struct session *s);
/* Protocol error: a reply that cannot belong to our command. No reply of the server counts. */
enum session_state session_desync(struct session *s, const char *why);
enum session_state session_hear_421(struct session *s, const struct reply *r);

#endif
