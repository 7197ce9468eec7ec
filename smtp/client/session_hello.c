/* From the greeting to a session that may send: EHLO or HELO, STARTTLS, AUTH. */
#include "smtp/client/session_table.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "server/base/number.h"

static bool is_class(const struct reply *r, int class)
{
	return r->code / 100 == class;
}

void session_say_ehlo(struct session *s)
{
	s->offer = (struct session_offer){0};
	session_command(s, "EHLO %s\r\n", s->helo_name);
}

void session_say_helo(struct session *s)
{
	session_command(s, "HELO %s\r\n", s->helo_name);
}

/* The next word of a line of EHLO, and the rest behind it. */
static size_t next_word(const char **text, size_t *len, const char **word)
{
	size_t n = 0;

	while (*len > 0 && **text == ' ') {
		(*text)++;
		(*len)--;
	}
	*word = *text;
	while (n < *len && (*text)[n] != ' ')
		n++;
	*text += n;
	*len -= n;
	return n;
}

static bool is_word(const char *word, size_t len, const char *keyword)
{
	return len == strlen(keyword) && strncasecmp(word, keyword, len) == 0;
}

/* RFC 5321 4.2, 4.1.1.1: greeting and EHLO's answer begin with the server's name. */
static bool is_us(const struct session *s, const struct reply *r)
{
	const char *cursor = NULL, *word, *line;
	size_t len;

	if (!s->finds_loops || !(line = reply_line(r, &cursor, &len)))
		return false;
	len = next_word(&line, &len, &word);
	return is_word(word, len, s->helo_name);
}

enum session_state session_hear_greeting(struct session *s, const struct reply *r)
{
	s->is_greeted = true;
	if (!is_class(r, 2))
		return session_refuse(s, r, "");
	return is_us(s, r) ? session_loop(s) : STATE_EHLO;
}

static void read_size(struct session_offer *offer, const char *digits, size_t len)
{
	int64_t value;

	if (number_parse(digits, len, 0, INT64_MAX, &value) == 0)
		offer->size_limit = (size_t)value;
}

static void read_mechanisms(struct session_offer *offer, const char *text, size_t len)
{
	const char *word;
	size_t n;

	while ((n = next_word(&text, &len, &word)) > 0) {
		offer->has_plain = offer->has_plain || is_word(word, n, "PLAIN");
		offer->has_login = offer->has_login || is_word(word, n, "LOGIN");
	}
}

/* "SIZE 1000", "AUTH PLAIN LOGIN", "AUTH=LOGIN" (old servers). What we do not know is skipped. */
static void read_keyword(struct session_offer *offer, const char *text, size_t len)
{
	const char *word, *digits;
	size_t n;

	if (len > 5 && strncasecmp(text, "AUTH=", 5) == 0) {
		read_mechanisms(offer, text + 5, len - 5);
		return;
	}
	n = next_word(&text, &len, &word);
	if (is_word(word, n, "PIPELINING"))
		offer->has_pipelining = true;
	else if (is_word(word, n, "STARTTLS"))
		offer->has_starttls = true;
	else if (is_word(word, n, "8BITMIME"))
		offer->has_8bitmime = true;
	else if (is_word(word, n, "AUTH"))
		read_mechanisms(offer, text, len);
	else if (is_word(word, n, "SIZE")) {
		offer->has_size = true;
		n = next_word(&text, &len, &digits);
		read_size(offer, digits, n);
	}
}

/* After EHLO or HELO, or when STARTTLS was declined: what is left to do before mail. */
static enum session_state go_on(struct session *s)
{
	if (!s->is_secure && s->may_starttls && s->offer.has_starttls)
		return STATE_STARTTLS;
	if (!s->is_secure && s->is_tls_required)
		return session_refuse(s, NULL, "tls_required: the server offers no STARTTLS");
	if (!s->user)
		return STATE_IDLE;
	if (!s->is_secure && !s->may_auth_in_clear)
		return session_refuse(s, NULL, "no TLS: the password is not sent in clear");
	if (s->offer.has_plain)
		return STATE_AUTH_PLAIN;
	if (s->offer.has_login)
		return STATE_AUTH_LOGIN;
	return session_refuse(s, NULL, "the server offers neither AUTH PLAIN nor AUTH LOGIN");
}

enum session_state session_hear_ehlo(struct session *s, const struct reply *r)
{
	const char *cursor = NULL, *line;
	size_t len;

	/* RFC 5321 3.2: a server that knows no EHLO is spoken to in HELO; it has no STARTTLS. */
	if (is_class(r, 5) && (s->is_secure || !s->is_tls_required) && !s->user)
		return STATE_HELO;
	if (!is_class(r, 2))
		return session_refuse(s, r, "");
	if (is_us(s, r))
		return session_loop(s);
	reply_line(r, &cursor, &len);
	while ((line = reply_line(r, &cursor, &len)))
		read_keyword(&s->offer, line, len);
	return go_on(s);
}

enum session_state session_hear_helo(struct session *s, const struct reply *r)
{
	if (!is_class(r, 2))
		return session_refuse(s, r, "");
	return go_on(s);
}

void session_say_starttls(struct session *s)
{
	session_command(s, "STARTTLS\r\n");
}

enum session_state session_hear_starttls(struct session *s, const struct reply *r)
{
	if (is_class(r, 2))
		return STATE_TLS;
	if (is_class(r, 3))
		return session_desync(s, "3xx to STARTTLS");
	if (s->is_tls_required)
		return session_refuse(s, r, "tls_required: ");
	s->may_starttls = false;
	return go_on(s);
}

void session_say_plain(struct session *s)
{
	s->is_secret = true;
	buf_str(&s->out, "AUTH PLAIN ");
	session_append_plain(s, &s->out);
	session_command(s, "\r\n");
}

void session_say_plain_again(struct session *s)
{
	s->is_secret = true;
	session_append_plain(s, &s->out);
	session_command(s, "\r\n");
}

void session_say_login(struct session *s)
{
	session_command(s, "AUTH LOGIN\r\n");
}

void session_say_user(struct session *s)
{
	s->is_secret = true;
	session_append_base64(&s->out, (const unsigned char *)s->user, strlen(s->user));
	session_command(s, "\r\n");
}

void session_say_password(struct session *s)
{
	s->is_secret = true;
	session_append_base64(&s->out, (const unsigned char *)s->password, strlen(s->password));
	session_command(s, "\r\n");
}

/* The end of AUTH: nothing but 2xx lets us go on; a login problem is never a recipient's. */
enum session_state session_hear_password(struct session *s, const struct reply *r)
{
	session_forget_password(s);
	if (is_class(r, 2))
		return STATE_IDLE;
	if (is_class(r, 3))
		return session_desync(s, "one more question in AUTH");
	return session_refuse(s, r, "AUTH: ");
}

enum session_state session_hear_plain(struct session *s, const struct reply *r)
{
	/* Some servers overlook the initial response and ask for it. */
	return is_class(r, 3) ? STATE_AUTH_PLAIN_AGAIN : session_hear_password(s, r);
}

enum session_state session_hear_login(struct session *s, const struct reply *r)
{
	if (is_class(r, 2))
		return session_desync(s, "AUTH LOGIN without a question");
	return is_class(r, 3) ? STATE_AUTH_USER : session_hear_password(s, r);
}

enum session_state session_hear_user(struct session *s, const struct reply *r)
{
	if (is_class(r, 2))
		return session_desync(s, "AUTH LOGIN without a password");
	return is_class(r, 3) ? STATE_AUTH_PASSWORD : session_hear_password(s, r);
}
