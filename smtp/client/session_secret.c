/* The password: how it is said, and that nobody else hears of it. */
#include "smtp/client/session_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STRIKE_MIN 8 /* so much of the begin of a secret is one */

/* Appends base64 (RFC 4648) without leaving copies of the secret behind. */
void session_append_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t b = (uint32_t)bytes[i] << 16;
		size_t left = len - i;

		b |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		b |= left > 2 ? bytes[i + 2] : 0;
		buf_char(out, alphabet[b >> 18]);
		buf_char(out, alphabet[b >> 12 & 63]);
		buf_char(out, left > 1 ? alphabet[b >> 6 & 63] : '=');
		buf_char(out, left > 2 ? alphabet[b & 63] : '=');
	}
}

/* RFC 4616: NUL user NUL password. */
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

/* ---- what must not be told ---- */

bool session_is_secret(const struct session *s)
{
	return s->state >= STATE_AUTH_PLAIN && s->state <= STATE_AUTH_PASSWORD;
}

static void strike(struct buf *text, const char *secret, size_t secret_len)
{
	size_t least = secret_len < STRIKE_MIN ? secret_len : STRIKE_MIN, n;

	for (size_t i = 0; secret_len > 0 && i + least <= text->len; i += n ? n : 1) {
		for (n = 0; n < secret_len && i + n < text->len && text->data[i + n] == secret[n];)
			n++;
		if (n < least)
			n = 0;
		memset(text->data + i, '*', n);
	}
}

/* Servers quote what they do not like, perhaps cut. */
void session_strike(const struct session *s, struct reply *r)
{
	struct buf encoded = {0};
	size_t len = s->password ? strlen(s->password) : 0;

	if (!len || !s->user)
		return;
	strike(&r->text, s->password, len);
	/* Room at once: growing would leave copies behind. */
	if (!buf_reserve(&encoded, (len + strlen(s->user) + 5) * 2)) {
		buf_reset(&r->text);
		return;
	}
	session_append_base64(&encoded, (const unsigned char *)s->password, len);
	strike(&r->text, encoded.data, encoded.len);
	buf_reset(&encoded);
	session_append_plain(s, &encoded);
	strike(&r->text, encoded.data, encoded.len);
	explicit_bzero(encoded.data, encoded.cap);
	buf_deinit(&encoded);
}
