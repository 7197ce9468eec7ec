/* AUTH PLAIN and AUTH LOGIN (RFC 4954, 4616). */
#include "smtp/client/session_auth.h"
#include "smtp/client/session_end.h"
#include "smtp/client/session_table.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/base64.h"

enum session_state session_choose_auth(struct session *s)
{
	if (!s->is_secure && !s->may_auth_in_clear)
		return session_refuse(s, NULL, "no TLS: the password is not sent in clear");
	if (s->offer.extensions & OFFER_PLAIN)
		return STATE_AUTH_PLAIN;
	if (s->offer.extensions & OFFER_LOGIN)
		return STATE_AUTH_LOGIN;
	return session_refuse(s, NULL, "the server offers neither AUTH PLAIN nor AUTH LOGIN");
}

/* Encodes in place: no copy of the password stays in memory as long as the buffer does not grow. */
void session_append_base64(struct buf *out, const void *bytes, size_t len)
{
	char *room = buf_reserve(out, BASE64_LEN(len));

	if (room)
		out->len += base64_encode(room, bytes, len);
}

void session_append_plain(const struct session *s, struct buf *out)
{
	size_t user = strlen(s->user), password = strlen(s->password);
	unsigned char *message = malloc(user + password + 2);

	if (!message) {
		out->failed = true;
		return;
	}
	message[0] = 0;
	memcpy(message + 1, s->user, user);
	message[user + 1] = 0;
	memcpy(message + user + 2, s->password, password);
	session_append_base64(out, message, user + password + 2);
	explicit_bzero(message, user + password + 2);
	free(message);
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
	session_append_base64(&s->out, s->user, strlen(s->user));
	session_command(s, "\r\n");
}

void session_say_password(struct session *s)
{
	s->is_secret = true;
	session_append_base64(&s->out, s->password, strlen(s->password));
	session_command(s, "\r\n");
}

/* The last reply of AUTH. A refused login says nothing about a recipient. */
enum session_state session_hear_password(struct session *s, const struct reply *r)
{
	session_forget_password(s);
	if (session_reply_class(r) == 2)
		return STATE_IDLE;
	if (session_reply_class(r) == 3)
		return session_desync(s, "one more challenge in AUTH");
	return session_refuse(s, r, "AUTH: ");
}

enum session_state session_hear_plain(struct session *s, const struct reply *r)
{
	/* RFC 4954 4: some servers offer PLAIN but refuse it. */
	bool is_unknown = r->code == 502 || r->code == 504;

	if (is_unknown && s->offer.extensions & OFFER_LOGIN)
		return STATE_AUTH_LOGIN;
	/* Some servers ignore the initial response, and ask for it again. */
	return session_reply_class(r) == 3 ? STATE_AUTH_PLAIN_AGAIN : session_hear_password(s, r);
}

enum session_state session_hear_login(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 2)
		return session_desync(s, "AUTH LOGIN succeeded without a user name");
	return session_reply_class(r) == 3 ? STATE_AUTH_USER : session_hear_password(s, r);
}

enum session_state session_hear_user(struct session *s, const struct reply *r)
{
	if (session_reply_class(r) == 2)
		return session_desync(s, "AUTH LOGIN succeeded without a password");
	return session_reply_class(r) == 3 ? STATE_AUTH_PASSWORD : session_hear_password(s, r);
}
