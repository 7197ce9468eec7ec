/* The conversation as a table: what each state says, what it hears, how long it waits. */
#include "smtp/session_table.h"

/* Waits in seconds: RFC 5321 4.5.3.2 for greeting, MAIL, RCPT, DATA, blocks and the dot. A state
 * without `say` only listens; one without `hear` treats whatever comes as out of step. */
const struct session_rule session_table[STATES] = {
	[STATE_CONNECT] = {"connect", 30, SESSION_WAIT, NULL, NULL},
	[STATE_GREETING] = {"greeting", 300, SESSION_WAIT, NULL, session_hear_greeting},
	[STATE_EHLO] = {"EHLO", 300, SESSION_WAIT, session_say_ehlo, session_hear_ehlo},
	[STATE_HELO] = {"HELO", 300, SESSION_WAIT, session_say_helo, session_hear_helo},
	[STATE_STARTTLS] = {"STARTTLS", 120, SESSION_WAIT, session_say_starttls,
			    session_hear_starttls},
	[STATE_TLS] = {"TLS", 60, SESSION_SECURE, NULL, NULL},
	[STATE_AUTH_PLAIN] = {"AUTH", 120, SESSION_WAIT, session_say_plain, session_hear_plain},
	[STATE_AUTH_PLAIN_AGAIN] = {"AUTH", 120, SESSION_WAIT, session_say_plain_again,
				    session_hear_password},
	[STATE_AUTH_LOGIN] = {"AUTH", 120, SESSION_WAIT, session_say_login, session_hear_login},
	[STATE_AUTH_USER] = {"AUTH", 120, SESSION_WAIT, session_say_user, session_hear_user},
	[STATE_AUTH_PASSWORD] = {"AUTH", 120, SESSION_WAIT, session_say_password,
				 session_hear_password},
	[STATE_IDLE] = {"idle", 0, SESSION_READY, NULL, NULL},
	[STATE_MAIL] = {"MAIL", 300, SESSION_WAIT, session_say_mail, session_hear_mail},
	[STATE_RCPT] = {"RCPT", 300, SESSION_WAIT, session_say_rcpt, session_hear_rcpt},
	[STATE_DATA] = {"DATA", 120, SESSION_WAIT, session_say_data, session_hear_data},
	[STATE_BODY] = {"body", 180, SESSION_WAIT, NULL, session_hear_early},
	[STATE_FENCE] = {"fence", 0, SESSION_FENCE, NULL, session_hear_early},
	[STATE_DOT] = {"dot", 600, SESSION_WAIT, session_say_dot, session_hear_dot},
	[STATE_EMPTY_DOT] = {"dot", 600, SESSION_WAIT, session_say_dot, session_hear_empty_dot},
	[STATE_DONE] = {"done", 0, SESSION_DONE, NULL, NULL},
	[STATE_RSET] = {"RSET", 60, SESSION_WAIT, session_say_rset, session_hear_rset},
	[STATE_QUIT] = {"QUIT", 5, SESSION_WAIT, session_say_quit, session_hear_closing},
	[STATE_CLOSED] = {"closed", 0, SESSION_CLOSE, NULL, NULL},
};
