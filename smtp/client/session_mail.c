/* A transaction as it is said and heard: MAIL, RCPT, DATA, the dot; then RSET or QUIT. */
#include "smtp/client/session_table.h"

#include <stdio.h>
#include <string.h>

/* Settles by the server's reply whoever carries one of these marks. */
static void settle_by(struct session *s, unsigned marks, const struct reply *r)
{
	char text[sizeof(s->failure.text)];

	reply_text(r, text, sizeof(text));
	transaction_settle_all(&s->mail, marks, transaction_outcome(r->code, false), r->code, text);
}

/* When it is over for all: a MAIL that the server still holds must go by RSET. */
static enum session_state leave(struct session *s)
{
	return session_done(s, s->has_mail_open ? STATE_RSET : STATE_IDLE);
}

static void say_mail_line(struct session *s)
{
	const struct transaction *t = &s->mail;
	char size[40] = "";

	if (s->offer.has_size)
		snprintf(size, sizeof(size), " SIZE=%zu", t->bytes);
	session_command(s, "MAIL FROM:<%s>%s%s\r\n", t->mail.sender, size,
			t->is_8bit && s->offer.has_8bitmime ? " BODY=8BITMIME" : "");
}

/* RFC 2920: with PIPELINING the whole envelope goes out as one write. */
void session_say_mail(struct session *s)
{
	say_mail_line(s);
	if (!s->offer.has_pipelining)
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
	if (r->code / 100 == 3)
		return session_desync(s, "3xx to MAIL");
	s->has_mail_open = r->code / 100 == 2;
	if (!s->has_mail_open)
		settle_by(s, MARK_UNSETTLED, r);
	/* The replies to what was pipelined behind a refused MAIL still come. */
	return s->has_mail_open || s->n_owed > 0 ? STATE_RCPT : leave(s);
}

enum session_state session_hear_rcpt(struct session *s, const struct reply *r)
{
	struct transaction *t = &s->mail;
	size_t i = t->n_answered++;
	char text[sizeof(s->failure.text)];

	if (r->code / 100 == 3)
		return session_desync(s, "3xx to RCPT");
	if (t->marks[i] == MARK_OPEN && r->code / 100 == 2) {
		transaction_accept(t, i);
	} else if (t->marks[i] == MARK_OPEN) {
		reply_text(r, text, sizeof(text));
		transaction_settle(t, i, transaction_outcome(r->code, true), r->code, text);
	}
	if (t->n_answered < t->mail.n_recipients)
		return STATE_RCPT;
	return t->n_accepted > 0 || s->n_owed > 0 ? STATE_DATA : leave(s);
}

enum session_state session_hear_data(struct session *s, const struct reply *r)
{
	struct iovec first;

	if (r->code / 100 == 2)
		return session_desync(s, "2xx to DATA");
	if (r->code / 100 != 3) {
		settle_by(s, MARK_ACCEPTED, r);
		return leave(s);
	}
	/* RFC 2920 3.1: nobody was accepted and the server wants a body all the same. */
	if (s->mail.n_accepted == 0)
		return STATE_EMPTY_DOT;
	s->block_bytes = 0;
	return transaction_pieces(&s->mail, &first, 1) ? STATE_BODY : STATE_FENCE;
}

/* A reply before the dot: a refusal is final, for without a dot nothing was delivered. */
enum session_state session_hear_early(struct session *s, const struct reply *r)
{
	if (r->code < 400)
		return session_desync(s, "a good reply before the dot");
	settle_by(s, MARK_ACCEPTED, r);
	return session_done(s, STATE_CLOSED);
}

enum session_state session_hear_dot(struct session *s, const struct reply *r)
{
	if (r->code / 100 == 3)
		return session_desync(s, "3xx to the dot");
	if (r->code / 100 == 2 && !s->is_dot_out)
		return session_desync(s, "a good reply before the dot");
	s->has_mail_open = false;
	settle_by(s, MARK_ACCEPTED, r);
	return leave(s);
}

enum session_state session_hear_empty_dot(struct session *s, const struct reply *r)
{
	(void)r;
	s->has_mail_open = false;
	return leave(s);
}

enum session_state session_hear_rset(struct session *s, const struct reply *r)
{
	s->has_mail_open = false;
	return r->code / 100 == 2 ? STATE_IDLE : STATE_CLOSED;
}

enum session_state session_hear_closing(struct session *s, const struct reply *r)
{
	(void)s;
	(void)r;
	return STATE_CLOSED;
}
