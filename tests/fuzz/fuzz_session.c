/* A hostile mail server: whatever it sends and however it is cut, the session ends, every recipient
 * has a result, and nothing is delivered without a dot and a 2xx. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/session.h"
#include "smtp/client/transcript.h"

struct run {
	struct session *session;
	const uint8_t *data;
	size_t size;
	bool is_tls, is_tls_required, has_dot;
	int n_mails, n_done;
};

static void require(int claim)
{
	if (!claim)
		abort();
}

static void write_all(struct run *r)
{
	struct iovec pieces[3];
	size_t n;

	while ((n = session_pieces(r->session, pieces, 3)) > 0) {
		size_t len = 0;

		for (size_t i = 0; i < n; i++) {
			const char *text = pieces[i].iov_base;

			require(pieces[i].iov_len > 0);
			if (r->is_tls_required && !r->is_tls)
				require(!strncmp(text, "EHLO me\r\n", 9) ||
					!strncmp(text, "STARTTLS\r\n", 10) ||
					!strncmp(text, "QUIT\r\n", 6));
			len += pieces[i].iov_len;
		}
		session_wrote(r->session, len);
	}
}

/* The next bytes of the server: the first of them says how many come in one read. */
static void hear(struct run *r)
{
	size_t n;

	if (r->size < 2) {
		session_lost(r->session, "connection closed");
		return;
	}
	n = r->data[0] % 64 * (r->data[0] < 200 ? 1 : 40) + 1;
	if (n > r->size - 1)
		n = r->size - 1;
	session_hear(r->session, (const char *)r->data + 1, n);
	r->data += n + 1;
	r->size -= n + 1;
}

static void send_mail(struct run *r)
{
	static const char *const recipients[] = {"a@x.test", "b@x.test", "c@x.test"};
	static const char body[] = "a: b\r\n\r\n.\r\n..\r\n";
	static const struct connection_mail mail = {"me@x.test", recipients,      3, NULL, 0,
						    body,        sizeof(body) - 1};

	if (r->n_mails == 3) {
		session_quit(r->session);
		return;
	}
	r->n_mails++;
	r->has_dot = false;
	require(session_send(r->session, &mail, NULL) == 0);
}

static void check_results(struct run *r)
{
	size_t n;
	const struct connection_result *results = session_results(r->session, &n);

	r->n_done++;
	require(n == 3);
	for (size_t i = 0; i < n; i++) {
		require(results[i].outcome <= OUTCOME_UNTRIED);
		require(memchr(results[i].text, 0, sizeof(results[i].text)) != NULL);
		if (results[i].outcome == OUTCOME_DELIVERED)
			require(r->has_dot && results[i].code / 100 == 2);
		if (results[i].outcome == OUTCOME_UNKNOWN)
			require(r->has_dot);
		if (results[i].outcome == OUTCOME_BOUNCED)
			require(results[i].code / 100 == 5);
	}
}

static void take_step(struct run *r)
{
	switch (session_step(r->session)) {
	case SESSION_WAIT:
		hear(r);
		break;
	case SESSION_SECURE:
		r->is_tls = true;
		session_secured(r->session);
		break;
	case SESSION_READY:
		send_mail(r);
		break;
	case SESSION_FENCE:
		r->has_dot = true;
		session_dot(r->session);
		break;
	case SESSION_DONE:
		check_results(r);
		session_next(r->session);
		break;
	case SESSION_CLOSE:
		break;
	}
}

/* The user "me" and the password "secret", in base64 as they are said. */
static void check_transcript(const struct transcript *t)
{
	static const char *const secrets[] = {"AUTH PLAIN AG1l", "AG1l", "bWU=", "c2Vj"};
	struct buf text = {0};

	transcript_text(t, &text);
	for (const char *p = buf_text(&text); *p; p = strchr(p, '\n') + 1) {
		const char *who = strchr(p, ' ') + 1;

		for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
			require(strncmp(who, "C: ", 3) != 0 ||
				strncmp(who + 3, secrets[i], strlen(secrets[i])) != 0);
	}
	buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {.data = data + 1, .size = size - 1};
	struct transcript transcript = {0};
	struct session_options options = {
		.helo_name = "me", .may_auth_in_clear = true, .transcript = &transcript};

	if (size == 0)
		return 0;
	options.is_implicit_tls = data[0] & 1;
	options.may_starttls = data[0] & 2;
	options.is_tls_required = r.is_tls_required = data[0] & 4;
	options.user = data[0] & 8 ? "me" : NULL;
	options.password = "secret";
	transcript_open(&transcript, "host", "address");
	require(session_new(&r.session, &options, NULL) == 0);
	session_connected(r.session, "192.0.2.1");
	for (size_t steps = 0; session_step(r.session) != SESSION_CLOSE; steps++) {
		require(steps < 1000 + 4 * size);
		write_all(&r);
		take_step(&r);
	}
	require(r.n_done == r.n_mails);
	check_transcript(&transcript);
	session_free(r.session);
	transcript_deinit(&transcript);
	return 0;
}
