/* The meaning of a reply to MAIL, RCPT, DATA or the dot for a recipient. */
#include "smtp/client/session_table.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("@-_+", c));
}

/* True if the text has this word by itself, not as a part of an address or a host name. */
static bool is_word_at(const char *text, size_t len, size_t at)
{
	char before = at > 0 ? text[at - 1] : ' ';
	char after = at + 4 < len ? text[at + 4] : ' ';
	char next = at + 5 < len ? text[at + 5] : ' ';

	return !is_name_char(before) && before != '.' && !is_name_char(after) &&
	       !(after == '.' && isalnum((unsigned char)next));
}

/* "504 5.5.2 <15b0717dc4c2>: Helo command rejected: need fully-qualified hostname" */
static bool is_about_helo(const struct reply *r)
{
	const char *text = buf_text(&r->text);
	size_t len = r->text.len;

	for (size_t i = 0; i + 4 <= len; i++)
		if ((strncasecmp(text + i, "HELO", 4) == 0 ||
		     strncasecmp(text + i, "EHLO", 4) == 0) &&
		    is_word_at(text, len, i))
			return true;
	return false;
}

/* 530: the server wants TLS or a login. Only the operator's relay can have a login for us. If TLS
 * is offered, it may work at the next attempt. */
static bool is_wish_possible(const struct session *s)
{
	return !s->is_mx || (!s->is_secure && s->offer.extensions & OFFER_STARTTLS);
}

/* The refusal is about us or our commands, not about the mail or its recipient. */
static bool is_about_us(const struct session *s, const struct reply *r)
{
	switch (r->code) {
	case 503: /* bad sequence of commands */
	case 504: /* a parameter is refused: our name in EHLO */
	case 534: /* RFC 4954: logins */
	case 535:
	case 538:
		return true;
	case 530:
		return is_wish_possible(s);
	default:
		return is_about_helo(r);
	}
}

enum connection_outcome session_outcome(const struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 2)
		return OUTCOME_DELIVERED;
	if (session_reply_class(r) != 5 || is_about_us(s, r))
		return OUTCOME_DEFERRED;
	/* RFC 5321 4.5.3.1.10: 552 to RCPT means too many recipients. */
	if (r->code == 552 && session_phase(s) == PHASE_RCPT)
		return OUTCOME_DEFERRED;
	return OUTCOME_BOUNCED;
}
