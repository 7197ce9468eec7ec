/* A transaction: MAIL, RCPT, DATA, the dot; then RSET or QUIT. */
#include "smtp/client/session_mail.h"

#include "smtp/client/session_end.h"
#include "smtp/client/session_table.h"

#include <stdio.h>

bool session_is_in_transaction(const struct session *s)
{
	return session_table[s->state].phase >= PHASE_MAIL;
}

/* The server's reply is the result of all recipients with one of these marks. */
static void settle_by_reply(struct session *s, unsigned marks, const struct reply *r)
{
	struct connection_result result = session_remote(s, r, session_outcome(s, r), "");

	transaction_settle_all(&s->mail, marks, &result);
}

/* Ends the transaction. RSET discards a MAIL that the server still holds. */
static enum session_state end_mail(struct session *s)
{
	return session_done(s, s->has_mail_open ? STATE_RSET : STATE_IDLE);
}

static void say_mail_line(struct session *s)
{
	const struct transaction *t = &s->mail;
	char size[40] = "";

	if (s->offer.extensions & OFFER_SIZE)
		snprintf(size, sizeof(size), " SIZE=%zu", t->bytes);
	session_command(s, "MAIL FROM:<%s>%s%s\r\n", t->mail.sender, size,
			t->is_8bit && s->offer.extensions & OFFER_8BITMIME ? " BODY=8BITMIME" : "");
}

/* RFC 2920: with PIPELINING the whole envelope is one write. */
void session_say_mail(struct session *s)
{
	say_mail_line(s);
	if (!(s->offer.extensions & OFFER_PIPELINING))
		return;
	for (size_t i = 0; i < s->mail.mail.n_recipients; i++)
		session_command(s, "RCPT TO:<%s>\r\n", s->mail.mail.recipients[i]);
	session_command(s, "DATA\r\n");
}

void session_say_rcpt(struct session *s)
{
	session_command(s, "RCPT TO:<%s>\r\n", s->mail.mail.recipients[s->mail.n_answered]);
}

void session_say_data(struct session *s)
{
	session_command(s, "DATA\r\n");
}

void session_say_dot(struct session *s)
{
	session_command(s, ".\r\n");
}

void session_say_rset(struct session *s)
{
	session_command(s, "RSET\r\n");
}

void session_say_quit(struct session *s)
{
	session_command(s, "QUIT\r\n");
}

enum session_state session_hear_mail(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 3)
		return session_desync(s, "3xx to MAIL");
	s->has_mail_open = session_reply_class(r) == 2;
	if (!s->has_mail_open)
		settle_by_reply(s, MARK_UNSETTLED, r);
	/* The replies to RCPT and DATA, pipelined after a refused MAIL, still come. */
	return s->has_mail_open || s->n_owed > 0 ? STATE_RCPT : end_mail(s);
}

enum session_state session_hear_rcpt(struct session *s, const struct reply *r)
{
	struct transaction *t = &s->mail;
	size_t i = t->n_answered++;
	struct connection_result result;

	if (session_reply_class(r) == 3)
		return session_desync(s, "3xx to RCPT");
	if (t->marks[i] == MARK_OPEN && session_reply_class(r) == 2) {
		transaction_accept(t, i);
	} else if (t->marks[i] == MARK_OPEN) {
		result = session_remote(s, r, session_outcome(s, r), "");
		transaction_settle(t, i, &result);
	}
	if (t->n_answered < t->mail.n_recipients)
		return STATE_RCPT;
	return t->n_accepted > 0 || s->n_owed > 0 ? STATE_DATA : end_mail(s);
}

enum session_state session_hear_data(struct session *s, const struct reply *r)
{
	struct iovec first;

	if (session_reply_class(r) == 2)
		return session_desync(s, "2xx to DATA");
	if (session_reply_class(r) != 3) {
		settle_by_reply(s, MARK_ACCEPTED, r);
		return end_mail(s);
	}
	/* RFC 2920 3.1: no recipient was accepted, but the server replied 354. */
	if (s->mail.n_accepted == 0)
		return STATE_EMPTY_DOT;
	s->block_bytes = 0;
	return transaction_pieces(&s->mail, &first, 1) ? STATE_BODY : STATE_FENCE;
}

/* A reply before the dot. A refusal is final: without a dot nothing was delivered. */
enum session_state session_hear_early(struct session *s, const struct reply *r)
{
	if (r->code < 400)
		return session_desync(s, "a positive reply before the dot");
	settle_by_reply(s, MARK_ACCEPTED, r);
	return session_done(s, STATE_CLOSED);
}

enum session_state session_hear_dot(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 3)
		return session_desync(s, "3xx to the dot");
	if (session_reply_class(r) == 2 && !s->is_dot_out)
		return session_desync(s, "a positive reply before the dot");
	s->has_mail_open = false;
	settle_by_reply(s, MARK_ACCEPTED, r);
	return end_mail(s);
}

enum session_state session_hear_empty_dot(struct session *s, const struct reply *r)
{
	(void)r;
	s->has_mail_open = false;
	return end_mail(s);
}

enum session_state session_hear_rset(struct session *s, const struct reply *r)
{
	s->has_mail_open = false;
	return session_reply_class(r) == 2 ? STATE_IDLE : STATE_CLOSED;
}

enum session_state session_hear_closing(struct session *s, const struct reply *r)
{
	(void)s;
	(void)r;
	return STATE_CLOSED;
}
