/* The conversation as a table: for each state the command, the reader of the reply, the time limit.
 */
#include "smtp/client/session_table.h"

#include "smtp/client/session_auth.h"
#include "smtp/client/session_hello.h"
#include "smtp/client/session_mail.h"

/* A state without `say` sends nothing. In a state without `hear` no reply is expected. */
const struct session_rule session_table[STATES] = {
	[STATE_CONNECT] = {"connect", PHASE_CONNECT, 30, SESSION_WAIT, NULL, NULL},
	[STATE_GREETING] = {"greeting", PHASE_GREETING, 300, SESSION_WAIT, NULL,
			    session_hear_greeting},
	[STATE_EHLO] = {"EHLO", PHASE_EHLO, 300, SESSION_WAIT, session_say_ehlo, session_hear_ehlo},
	[STATE_HELO] = {"HELO", PHASE_EHLO, 300, SESSION_WAIT, session_say_helo, session_hear_helo},
	[STATE_STARTTLS] = {"STARTTLS", PHASE_TLS, 120, SESSION_WAIT, session_say_starttls,
			    session_hear_starttls},
	[STATE_TLS] = {"TLS", PHASE_TLS, 60, SESSION_SECURE, NULL, NULL},
	[STATE_AUTH_PLAIN] = {"AUTH", PHASE_AUTH, 120, SESSION_WAIT, session_say_plain,
			      session_hear_plain},
	[STATE_AUTH_PLAIN_AGAIN] = {"AUTH", PHASE_AUTH, 120, SESSION_WAIT, session_say_plain_again,
				    session_hear_password},
	[STATE_AUTH_LOGIN] = {"AUTH", PHASE_AUTH, 120, SESSION_WAIT, session_say_login,
			      session_hear_login},
	[STATE_AUTH_USER] = {"AUTH", PHASE_AUTH, 120, SESSION_WAIT, session_say_user,
			     session_hear_user},
	[STATE_AUTH_PASSWORD] = {"AUTH", PHASE_AUTH, 120, SESSION_WAIT, session_say_password,
				 session_hear_password},
	[STATE_IDLE] = {"idle", PHASE_NONE, 0, SESSION_READY, NULL, NULL},
	[STATE_MAIL] = {"MAIL", PHASE_MAIL, 300, SESSION_WAIT, session_say_mail, session_hear_mail},
	[STATE_RCPT] = {"RCPT", PHASE_RCPT, 300, SESSION_WAIT, session_say_rcpt, session_hear_rcpt},
	[STATE_DATA] = {"DATA", PHASE_DATA, 120, SESSION_WAIT, session_say_data, session_hear_data},
	[STATE_BODY] = {"body", PHASE_BODY, 180, SESSION_WAIT, NULL, session_hear_early},
	[STATE_FENCE] = {"fence", PHASE_BODY, 0, SESSION_FENCE, NULL, session_hear_early},
	[STATE_DOT] = {"dot", PHASE_DOT, 600, SESSION_WAIT, session_say_dot, session_hear_dot},
	[STATE_EMPTY_DOT] = {"dot", PHASE_DOT, 600, SESSION_WAIT, session_say_dot,
			     session_hear_empty_dot},
	[STATE_DONE] = {"done", PHASE_NONE, 0, SESSION_DONE, NULL, NULL},
	[STATE_RSET] = {"RSET", PHASE_NONE, 60, SESSION_WAIT, session_say_rset, session_hear_rset},
	[STATE_QUIT] = {"QUIT", PHASE_NONE, 5, SESSION_WAIT, session_say_quit,
			session_hear_closing},
	[STATE_CLOSED] = {"closed", PHASE_NONE, 0, SESSION_CLOSE, NULL, NULL},
};
