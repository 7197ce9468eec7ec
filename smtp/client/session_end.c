/* Ends a session early, and makes its results: refused, protocol error, 421, connection lost,
 * dropped, stopped. */
#include "smtp/client/session_end.h"
#include "smtp/client/session_mail.h"
#include "smtp/client/session_table.h"

#include <stdio.h>
#include <string.h>

struct connection_result session_remote(const struct session *s, const struct reply *r,
					enum connection_outcome outcome, const char *prefix)
{
	struct connection_result result = {.outcome = outcome,
					   .code = r->code,
					   .source = SOURCE_REMOTE,
					   .phase = session_phase(s),
					   .enhanced = r->enhanced};
	size_t len = (size_t)snprintf(result.text, sizeof(result.text), "%s", prefix);

	if (len < sizeof(result.text))
		reply_text(r, result.text + len, sizeof(result.text) - len);
	return result;
}

struct connection_result session_local(const struct session *s, enum connection_outcome outcome,
				       const char *text)
{
	struct connection_result result = {
		.outcome = outcome, .source = SOURCE_LOCAL, .phase = session_phase(s)};

	snprintf(result.text, sizeof(result.text), "%s", text);
	return result;
}

/* Only the first reason counts, and only before the session is ready. */
static void note_failure(struct session *s, const struct connection_result *why)
{
	if (!s->was_ready && !s->failure.text[0])
		s->failure = *why;
}

static void note_in_transcript(struct session *s, const struct connection_result *why)
{
	transcript_note(s->transcript, "%s", why->text);
}

enum session_state session_refuse(struct session *s, const struct reply *r, const char *words)
{
	struct connection_result why = r ? session_remote(s, r, OUTCOME_DEFERRED, words)
					 : session_local(s, OUTCOME_DEFERRED, words);

	if (!r)
		note_in_transcript(s, &why);
	if (!why.text[0])
		snprintf(why.text, sizeof(why.text), "refused without a reason");
	note_failure(s, &why);
	s->is_polite = s->n_owed == 0;
	return STATE_CLOSED;
}

enum session_state session_loop(struct session *s)
{
	struct connection_result why = session_local(s, OUTCOME_BOUNCED, "");

	snprintf(why.text, sizeof(why.text),
		 "mail would come back to this host: its MX has our name, %s", s->helo_name);
	note_in_transcript(s, &why);
	note_failure(s, &why);
	s->is_polite = s->n_owed == 0;
	return STATE_CLOSED;
}

enum session_state session_desync(struct session *s, const char *why)
{
	struct connection_result result = session_local(s, OUTCOME_DEFERRED, "");

	snprintf(result.text, sizeof(result.text), "protocol error at %s: %s", session_stage(s),
		 why);
	note_in_transcript(s, &result);
	note_failure(s, &result);
	if (!session_is_in_transaction(s))
		return STATE_CLOSED;
	if (s->state == STATE_DOT && s->is_dot_out) {
		result.outcome = OUTCOME_UNKNOWN;
		transaction_settle_all(&s->mail, MARK_ACCEPTED, &result);
	} else if (s->state != STATE_EMPTY_DOT) {
		transaction_settle_all(&s->mail, MARK_UNSETTLED | MARK_SETTLED, &result);
	}
	return session_done(s, STATE_CLOSED);
}

/* RFC 5321 3.8: 421 ends the session at any stage. For recipients that had a reply this is an
 * attempt. For the others it is an attempt only after the MAIL of the connection's first mail. */
enum session_state session_hear_421(struct session *s, const struct reply *r)
{
	struct connection_result result = session_remote(s, r, OUTCOME_DEFERRED, "");
	bool is_try = s->state != STATE_MAIL || s->n_mails == 1;

	note_failure(s, &result);
	if (!session_is_in_transaction(s))
		return STATE_CLOSED;
	if (s->state == STATE_RCPT && s->mail.marks[s->mail.n_answered] == MARK_OPEN)
		transaction_settle(&s->mail, s->mail.n_answered, &result);
	if (s->state == STATE_RCPT)
		is_try = false;
	transaction_settle_all(&s->mail, MARK_ACCEPTED, &result);
	if (!is_try)
		result.outcome = OUTCOME_UNTRIED;
	transaction_settle_all(&s->mail, MARK_OPEN, &result);
	return session_done(s, STATE_CLOSED);
}

void session_drop(struct session *s)
{
	struct connection_result result;

	if (s->state != STATE_FENCE)
		return;
	result = session_local(s, OUTCOME_UNTRIED, "stopped before the dot");
	transaction_settle_all(&s->mail, MARK_UNSETTLED | MARK_SETTLED, &result);
	session_enter(s, session_done(s, STATE_CLOSED));
}

/* Settles all recipients when the connection breaks. The server may close an idle connection while
 * we send the next MAIL; that is not an attempt. */
static void settle_lost(struct session *s, struct connection_result *why)
{
	bool is_stale = s->state == STATE_MAIL && s->n_mails > 1;

	why->outcome = s->is_dot_out ? OUTCOME_UNKNOWN : OUTCOME_DEFERRED;
	transaction_settle_all(&s->mail, MARK_ACCEPTED, why);
	why->outcome = is_stale ? OUTCOME_UNTRIED : OUTCOME_DEFERRED;
	transaction_settle_all(&s->mail, MARK_OPEN, why);
}

void session_lost(struct session *s, const char *why)
{
	struct connection_result result = session_local(s, OUTCOME_DEFERRED, "");

	snprintf(result.text, sizeof(result.text), "%s at %s", why, session_stage(s));
	note_in_transcript(s, &result);
	note_failure(s, &result);
	if (s->state == STATE_DONE) {
		s->after = STATE_CLOSED;
		return;
	}
	if (!session_is_in_transaction(s)) {
		session_enter(s, STATE_CLOSED);
		return;
	}
	settle_lost(s, &result);
	session_enter(s, session_done(s, STATE_CLOSED));
}

void session_give_up(struct session *s, const char *why)
{
	struct connection_result result = session_local(s, OUTCOME_DEFERRED, why);
	bool is_before_body = s->state >= STATE_MAIL && s->state <= STATE_DATA;

	if ((s->was_ready && !is_before_body) || s->state == STATE_CLOSED)
		return;
	note_in_transcript(s, &result);
	note_failure(s, &result);
	if (is_before_body) {
		result.phase = PHASE_NONE; /* it says nothing about the host */
		transaction_settle_all(&s->mail, MARK_UNSETTLED, &result);
	}
	session_enter(s, is_before_body ? session_done(s, STATE_CLOSED) : STATE_CLOSED);
}

void session_quit(struct session *s)
{
	struct connection_result result =
		session_local(s, OUTCOME_DEFERRED, "stopped by the relay");

	if (s->state == STATE_IDLE) {
		session_enter(s, STATE_QUIT);
	} else if (s->state == STATE_DONE) {
		s->after = s->after == STATE_IDLE ? STATE_QUIT : STATE_CLOSED;
	} else if (session_is_in_transaction(s)) {
		result.outcome = s->is_dot_out ? OUTCOME_UNKNOWN : OUTCOME_UNTRIED;
		transaction_settle_all(&s->mail, MARK_UNSETTLED, &result);
		session_enter(s, session_done(s, STATE_CLOSED));
	} else if (s->state != STATE_QUIT) {
		note_failure(s, &result);
		session_enter(s, STATE_CLOSED);
	}
}
