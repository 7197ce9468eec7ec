/* From the greeting to a session that is ready: EHLO or HELO, STARTTLS. */
#include "smtp/client/session_hello.h"

#include "smtp/client/session_auth.h"
#include "smtp/client/session_end.h"
#include "smtp/client/session_table.h"

void session_say_ehlo(struct session *s)
{
	/* RFC 3207 4.2: what was offered before TLS does not count after it. */
	s->offer = (struct session_offer){0};
	session_command(s, "EHLO %s\r\n", s->helo_name);
}

void session_say_helo(struct session *s)
{
	session_command(s, "HELO %s\r\n", s->helo_name);
}

void session_say_starttls(struct session *s)
{
	session_command(s, "STARTTLS\r\n");
}

/* An address literal is no proof: many machines have the same private address. */
static bool is_ourselves(const struct session *s, const struct reply *r)
{
	return s->is_mx && s->helo_name[0] != '[' && session_offer_is_from(r, s->helo_name);
}

enum session_state session_hear_greeting(struct session *s, const struct reply *r)
{
	s->is_greeted = true;
	if (session_reply_class(r) != 2)
		return session_refuse(s, r, "");
	return is_ourselves(s, r) ? session_loop(s) : STATE_EHLO;
}

/* The next state after EHLO or HELO, or after STARTTLS was refused. */
static enum session_state continue_hello(struct session *s)
{
	if (!s->is_secure && s->may_starttls && s->offer.extensions & OFFER_STARTTLS)
		return STATE_STARTTLS;
	if (!s->is_secure && s->is_tls_required)
		return session_refuse(s, NULL, "tls_required: the server offers no STARTTLS");
	return s->user ? session_choose_auth(s) : STATE_IDLE;
}

enum session_state session_hear_ehlo(struct session *s, const struct reply *r)
{
	/* RFC 5321 3.2: HELO for a server that does not know EHLO. HELO has no STARTTLS. */
	if (session_reply_class(r) == 5 && (s->is_secure || !s->is_tls_required) && !s->user)
		return STATE_HELO;
	if (session_reply_class(r) != 2)
		return session_refuse(s, r, "");
	if (is_ourselves(s, r))
		return session_loop(s);
	session_offer_read(&s->offer, r);
	return continue_hello(s);
}

enum session_state session_hear_helo(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) != 2)
		return session_refuse(s, r, "");
	return continue_hello(s);
}

enum session_state session_hear_starttls(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 2)
		return STATE_TLS;
	if (session_reply_class(r) == 3)
		return session_desync(s, "3xx to STARTTLS");
	if (s->is_tls_required)
		return session_refuse(s, r, "tls_required: ");
	s->may_starttls = false;
	return continue_hello(s);
}
