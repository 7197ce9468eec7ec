/* Keeps the password out of transcripts and results. */
#include "smtp/client/session_secret.h"

#include "smtp/client/session_auth.h"
#include "smtp/client/session_table.h"

#include <string.h>

#define STRIKE_MIN 8 /* a prefix of a secret is masked if it has at least so many octets */

bool session_is_secret(const struct session *s)
{
	return session_table[s->state].phase == PHASE_AUTH;
}

/* Overwrites the secret, or a prefix of it, wherever the text contains it. */
static void strike_secret(struct buf *text, const char *secret, size_t secret_len)
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

/* Servers may quote the refused command, sometimes cut short. */
void session_strike(const struct session *s, struct reply *r)
{
	struct buf encoded = {0};
	size_t len = s->password ? strlen(s->password) : 0;

	if (!len || !s->user)
		return;
	strike_secret(&r->text, s->password, len);
	/* Reserved in full now, because a buffer that grows leaves copies in memory. */
	if (!buf_reserve(&encoded, (len + strlen(s->user) + 5) * 2)) {
		buf_reset(&r->text);
		return;
	}
	session_append_base64(&encoded, s->password, len);
	strike_secret(&r->text, encoded.data, encoded.len);
	buf_reset(&encoded);
	session_append_plain(s, &encoded);
	strike_secret(&r->text, encoded.data, encoded.len);
	explicit_bzero(encoded.data, encoded.cap);
	buf_deinit(&encoded);
}
