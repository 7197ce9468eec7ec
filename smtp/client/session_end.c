/* How a conversation ends before its time: refused, out of step, 421, lost, dropped, stopped. */
#include "smtp/client/session_table.h"

#include <stdio.h>
#include <string.h>

static bool is_in_transaction(const struct session *s)
{
	return s->state >= STATE_MAIL && s->state <= STATE_EMPTY_DOT;
}

static void fail(struct session *s, int code, const char *text)
{
	if (s->was_ready || s->failure.text[0])
		return;
	s->failure.outcome = OUTCOME_DEFERRED;
	s->failure.code = code;
	snprintf(s->failure.text, sizeof(s->failure.text), "%s", text);
}

enum session_state session_refuse(struct session *s, const struct reply *r, const char *words)
{
	char text[sizeof(s->failure.text)];
	size_t len = strlen(words);

	snprintf(text, sizeof(text), "%s", words);
	if (r && len < sizeof(text))
		reply_text(r, text + len, sizeof(text) - len);
	if (!r)
		transcript_note(s->transcript, "%s", words);
	fail(s, r ? r->code : 0, text[0] ? text : "refused without a word");
	s->is_polite = s->n_owed == 0;
	return STATE_CLOSED;
}

enum session_state session_loop(struct session *s)
{
	char text[sizeof(s->failure.text)];

	snprintf(text, sizeof(text),
		 "5.4.6 mail loops back to this host: its MX says that it is %s", s->helo_name);
	transcript_note(s->transcript, "%s", text);
	fail(s, 550, text);
	s->failure.outcome = OUTCOME_BOUNCED;
	s->is_polite = s->n_owed == 0;
	return STATE_CLOSED;
}

enum session_state session_desync(struct session *s, const char *why)
{
	char text[sizeof(s->failure.text)];

	snprintf(text, sizeof(text), "protocol error at %s: %s", session_stage(s), why);
	transcript_note(s->transcript, "%s", text);
	fail(s, 0, text);
	if (!is_in_transaction(s))
		return STATE_CLOSED;
	if (s->state == STATE_DOT && s->is_dot_out)
		transaction_settle_all(&s->mail, MARK_ACCEPTED, OUTCOME_UNKNOWN, 0, text);
	else if (s->state != STATE_EMPTY_DOT)
		transaction_settle_all(&s->mail, MARK_UNSETTLED | MARK_SETTLED, OUTCOME_DEFERRED, 0,
				       text);
	return session_done(s, STATE_CLOSED);
}

/* RFC 5321 3.8: 421 ends the session at any stage. Whoever was not answered did not have a try,
 * but on a connection that had done nothing yet it was one. */
enum session_state session_hear_421(struct session *s, const struct reply *r)
{
	char text[sizeof(s->failure.text)];
	bool is_try = s->state != STATE_MAIL || s->n_mails == 1;

	reply_text(r, text, sizeof(text));
	fail(s, 421, text);
	if (!is_in_transaction(s))
		return STATE_CLOSED;
	if (s->state == STATE_RCPT && s->mail.marks[s->mail.n_answered] == MARK_OPEN)
		transaction_settle(&s->mail, s->mail.n_answered, OUTCOME_DEFERRED, 421, text);
	if (s->state == STATE_RCPT)
		is_try = false;
	transaction_settle_all(&s->mail, MARK_ACCEPTED, OUTCOME_DEFERRED, 421, text);
	transaction_settle_all(&s->mail, MARK_OPEN, is_try ? OUTCOME_DEFERRED : OUTCOME_UNTRIED,
			       421, text);
	return session_done(s, STATE_CLOSED);
}

void session_drop(struct session *s)
{
	if (s->state != STATE_FENCE)
		return;
	transaction_settle_all(&s->mail, MARK_UNSETTLED | MARK_SETTLED, OUTCOME_UNTRIED, 0,
			       "stopped before the dot");
	session_enter(s, session_done(s, STATE_CLOSED));
}

void session_lost(struct session *s, const char *why)
{
	char text[sizeof(s->failure.text)];
	bool is_stale = s->state == STATE_MAIL && s->n_mails > 1;

	snprintf(text, sizeof(text), "%s at %s", why, session_stage(s));
	transcript_note(s->transcript, "%s", text);
	fail(s, 0, text);
	if (s->state == STATE_DONE) {
		s->after = STATE_CLOSED;
		return;
	}
	if (!is_in_transaction(s)) {
		session_enter(s, STATE_CLOSED);
		return;
	}
	transaction_settle_all(&s->mail, MARK_ACCEPTED,
			       s->is_dot_out ? OUTCOME_UNKNOWN : OUTCOME_DEFERRED, 0, text);
	transaction_settle_all(&s->mail, MARK_OPEN, is_stale ? OUTCOME_UNTRIED : OUTCOME_DEFERRED,
			       0, text);
	session_enter(s, session_done(s, STATE_CLOSED));
}

void session_quit(struct session *s)
{
	if (s->state == STATE_IDLE) {
		session_enter(s, STATE_QUIT);
	} else if (s->state == STATE_DONE) {
		s->after = s->after == STATE_IDLE ? STATE_QUIT : STATE_CLOSED;
	} else if (is_in_transaction(s)) {
		transaction_settle_all(&s->mail, MARK_UNSETTLED,
				       s->is_dot_out ? OUTCOME_UNKNOWN : OUTCOME_UNTRIED, 0,
				       "stopped by the relay");
		session_enter(s, session_done(s, STATE_CLOSED));
	} else if (s->state != STATE_QUIT) {
		fail(s, 0, "stopped by the relay");
		session_enter(s, STATE_CLOSED);
	}
}
