/* Every conversation: each two replies of a session replaced by each kind of wrong reply, in every
 * configuration, against an oracle that knows which command is allowed when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/session.h"
#include "tests/unit/unit.h"

enum reply_class {
	GOOD,
	OK_2XX,
	GO_3XX,
	TEMP_4XX,
	PERM_5XX,
	CLOSING_421,
	GARBAGE,
	MIXED,
	EXTRA,
	HANG_UP,
	TIMEOUT,
	CLASSES
};

static const char *const class_text[CLASSES] = {
	[OK_2XX] = "250 fine\r\n",      [GO_3XX] = "354 go\r\n",
	[TEMP_4XX] = "451 later\r\n",   [PERM_5XX] = "550 never\r\n",
	[CLOSING_421] = "421 bye\r\n",  [GARBAGE] = "hello?\r\n",
	[MIXED] = "250-a\r\n550 b\r\n", [EXTRA] = "250 a\r\n250 b\r\n",
};

enum tls { CLEAR, OPPORTUNISTIC, REQUIRED, IMPLICIT, TLS_KINDS };
enum place { GREETING, EHLO, STARTTLS, AUTH, SECRET, MAIL, RCPT, DATA, DOT, RSET, QUIT };

/* One conversation to be had: configuration, and the two deviations. */
struct plan {
	bool is_pipelining, is_batched, has_auth, is_login;
	enum tls tls;
	size_t n_recipients;
	int at[2];
	enum reply_class class[2];
};

/* The server, which is also the oracle. */
struct server {
	const struct plan *plan;
	char line[2048];
	size_t line_len;
	enum place owed[16]; /* commands without a reply yet */
	size_t n_owed;
	int n_replies;
	bool has_pipelining, is_helo, is_secure, is_greeted, is_ehlo, is_logged_in;
	bool has_mail, is_mail_pending, is_data;
	size_t n_rcpt_said, n_rcpt_heard, n_accepted;
	bool was_accepted[3], is_dot_complete, is_dot_ok, has_5xx;
	/* One reply too many in a pipeline cannot be seen before DATA's own: until then the client
	 * is one reply ahead, and a second wrong reply may hide that. */
	bool is_shifted;
	int n_deviations;
	enum place last;
	size_t body_bytes;
};

static const struct plan *current;

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			broken(#condition, __LINE__);                                              \
	} while (0)

static void broken(const char *what, int line)
{
	fail_msg("line %d: %s (pipelining %d batched %d auth %d login %d tls %d rcpt %zu, reply %d "
		 "is %d, reply %d is %d)",
		 line, what, current->is_pipelining, current->is_batched, current->has_auth,
		 current->is_login, (int)current->tls, current->n_recipients, current->at[0],
		 (int)current->class[0], current -> at[1], (int)current -> class[1]);
}

static void owe(struct server *s, enum place place)
{
	REQUIRE(s->n_owed < 16);
	s->owed[s->n_owed++] = place;
	s->last = place;
}

static bool starts(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

static void hear_mail(struct server *s)
{
	REQUIRE(s->is_ehlo && !s->has_mail);
	REQUIRE(s->is_secure || s->plan->tls < REQUIRED);
	REQUIRE(s->is_logged_in || !s->plan->has_auth);
	s->has_mail = true;
	s->n_rcpt_said = s->n_rcpt_heard = s->n_accepted = 0;
	memset(s->was_accepted, 0, sizeof(s->was_accepted));
	s->is_dot_complete = s->is_dot_ok = s->has_5xx = false;
	s->body_bytes = 0;
	owe(s, MAIL);
}

static void hear_dot(struct server *s)
{
	if (s->n_accepted == 0)
		REQUIRE(s->body_bytes == 0);
	else
		REQUIRE(s->body_bytes == strlen("Subject: x\r\n\r\n..dot\r\n"));
	s->is_data = false;
	s->is_dot_complete = s->n_accepted > 0;
	s->has_mail = false;
	owe(s, DOT);
}

static void hear_line(struct server *s, const char *line)
{
	bool is_pipelined = s->has_pipelining && s->has_mail;

	if (s->is_data) {
		REQUIRE(s->n_owed == 0 || s->is_shifted);
		if (!strcmp(line, "."))
			hear_dot(s);
		else
			s->body_bytes += strlen(line) + 2;
		return;
	}
	if (s->is_shifted && s->n_deviations > 1)
		return;
	REQUIRE(s->n_owed == 0 || (is_pipelined && (starts(line, "RCPT") || starts(line, "DATA"))));
	if (starts(line, "EHLO me.test") || starts(line, "HELO me.test")) {
		s->is_ehlo = true;
		s->is_helo = line[0] == 'H';
		owe(s, EHLO);
	} else if (!strcmp(line, "STARTTLS")) {
		REQUIRE(!s->is_secure && s->plan->tls != CLEAR);
		owe(s, STARTTLS);
	} else if (starts(line, "AUTH ")) {
		REQUIRE(s->plan->has_auth && (s->is_secure || s->plan->tls < REQUIRED));
		owe(s, AUTH);
	} else if (starts(line, "MAIL FROM:<me@x.test>")) {
		hear_mail(s);
	} else if (starts(line, "RCPT TO:<")) {
		REQUIRE(s->has_mail && s->n_rcpt_said < s->plan->n_recipients);
		s->n_rcpt_said++;
		owe(s, RCPT);
	} else if (!strcmp(line, "DATA")) {
		REQUIRE(s->has_mail && s->n_rcpt_said == s->plan->n_recipients);
		REQUIRE(s->has_pipelining || s->n_accepted > 0);
		owe(s, DATA);
	} else if (!strcmp(line, "RSET")) {
		s->has_mail = false;
		owe(s, RSET);
	} else if (!strcmp(line, "QUIT")) {
		owe(s, QUIT);
	} else {
		REQUIRE(s->last == AUTH || s->last == SECRET);
		owe(s, SECRET);
	}
}

static void hear_bytes(struct server *s, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		REQUIRE(s->line_len < sizeof(s->line) - 1);
		s->line[s->line_len++] = bytes[i];
		if (bytes[i] != '\n')
			continue;
		REQUIRE(s->line_len >= 2 && s->line[s->line_len - 2] == '\r');
		s->line[s->line_len - 2] = 0;
		s->line_len = 0;
		hear_line(s, s->line);
	}
}

static const char *ehlo_text(const struct server *s)
{
	static char text[200];

	snprintf(text, sizeof(text), "250-me\r\n%s%s%s250 HELP\r\n",
		 s->plan->is_pipelining ? "250-PIPELINING\r\n" : "",
		 s->is_secure || s->plan->tls == CLEAR ? "" : "250-STARTTLS\r\n",
		 s->plan->is_login ? "250-AUTH LOGIN\r\n" : "250-AUTH PLAIN LOGIN\r\n");
	return text;
}

static const char *good_text(const struct server *s, enum place place)
{
	switch (place) {
	case GREETING:
		return "220 hi\r\n";
	case EHLO:
		return ehlo_text(s);
	case STARTTLS:
		return "220 go\r\n";
	case AUTH:
		return s->plan->is_login ? "334 user\r\n" : "235 in\r\n";
	case SECRET:
		return "235 in\r\n";
	case DATA:
		return s->n_accepted > 0 ? "354 go\r\n" : "503 nobody\r\n";
	case MAIL:
	case RCPT:
	case DOT:
	case RSET:
		return "250 ok\r\n";
	case QUIT:
		return "221 bye\r\n";
	}
	return "";
}

/* The outcome that the server's replies stand for. */
static void note(struct server *s, enum place place, const char *text)
{
	bool is_ok = text[0] == '2' && !strstr(text, "550");

	s->has_5xx = s->has_5xx || (place >= MAIL && text[0] == '5');
	if (place == EHLO)
		s->has_pipelining = !s->is_helo && strstr(text, "PIPELINING");
	else if (place == AUTH || place == SECRET)
		s->is_logged_in = is_ok;
	else if (place == MAIL)
		s->is_mail_pending = is_ok;
	else if (place == RCPT) {
		s->was_accepted[s->n_rcpt_heard] = is_ok && s->is_mail_pending;
		s->n_accepted += is_ok && s->is_mail_pending;
		s->n_rcpt_heard++;
	} else if (place == DATA)
		s->is_data = text[0] == '3';
	else if (place == DOT)
		s->is_dot_ok = is_ok;
	/* A refused MAIL leaves nothing that RSET would have to take back. */
	if ((place == MAIL && !s->has_pipelining) || (place == DATA && !s->is_data))
		s->has_mail = s->is_mail_pending;
}

/* The next reply appended to out, or HANG_UP/TIMEOUT. */
static enum reply_class reply(struct server *s, char *out, size_t size, int *n_secrets)
{
	enum place place = s->is_greeted ? s->owed[0] : GREETING;
	enum reply_class class = GOOD;
	const char *text;

	for (int i = 0; i < 2; i++)
		if (s->plan->at[i] == s->n_replies)
			class = s->plan->class[i];
	s->n_replies++;
	if (class == HANG_UP || class == TIMEOUT)
		return class;
	text = class == GOOD ? good_text(s, place) : class_text[class];
	if (class == GOOD && s->plan->is_login && place == SECRET && (*n_secrets)++ == 0)
		text = "334 password\r\n";
	note(s, place, text);
	s->n_deviations += class != GOOD;
	s->is_shifted = s->is_shifted || (class == EXTRA && s->n_owed > 1);
	if (s->is_greeted)
		memmove(s->owed, s->owed + 1, --s->n_owed * sizeof(*s->owed));
	s->is_greeted = true;
	strncat(out, text, size - strlen(out) - 1);
	return class;
}

static void check_results(const struct server *s, const struct session *session)
{
	size_t n;
	const struct connection_result *results = session_results(session, &n);

	REQUIRE(n == s->plan->n_recipients);
	if (s->is_shifted) {
		for (size_t i = 0; s->n_deviations == 1 && i < n; i++)
			REQUIRE(results[i].outcome == OUTCOME_DEFERRED);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		enum connection_outcome outcome = results[i].outcome;

		REQUIRE(outcome <= OUTCOME_UNTRIED);
		REQUIRE(strlen(results[i].text) > 0);
		if (outcome == OUTCOME_DELIVERED)
			REQUIRE(s->was_accepted[i] && s->is_dot_complete && s->is_dot_ok);
		if (s->was_accepted[i] && s->is_dot_ok && s->is_dot_complete)
			REQUIRE(outcome == OUTCOME_DELIVERED);
		if (outcome == OUTCOME_BOUNCED)
			REQUIRE(s->has_5xx);
		if (outcome == OUTCOME_UNKNOWN)
			REQUIRE(s->is_dot_complete && s->was_accepted[i]);
		if (outcome == OUTCOME_UNTRIED)
			REQUIRE(!s->was_accepted[i]);
	}
}

static struct session *open_session(const struct plan *p)
{
	struct session_options options = {
		.helo_name = "me.test",
		.is_implicit_tls = p->tls == IMPLICIT,
		.is_tls_required = p->tls >= REQUIRED,
		.may_starttls = p->tls != CLEAR,
		.user = p->has_auth ? "user" : NULL,
		.password = "password",
		.may_auth_in_clear = true,
	};
	struct session *session;

	assert_int_equal(session_new(&session, &options, NULL), 0);
	session_connected(session, "192.0.2.1");
	return session;
}

static void take_output(struct server *s, struct session *session)
{
	struct iovec pieces[4];
	size_t n;

	while ((n = session_pieces(session, pieces, 4)) > 0) {
		size_t len = 0;

		for (size_t i = 0; i < n; i++) {
			hear_bytes(s, pieces[i].iov_base, pieces[i].iov_len);
			len += pieces[i].iov_len;
		}
		session_wrote(session, len);
	}
}

static bool is_end(enum reply_class class)
{
	return class == HANG_UP || class == TIMEOUT || class == CLOSING_421;
}

static void answer(struct server *s, struct session *session, int *n_secrets)
{
	char text[1024] = "";
	enum reply_class class = TIMEOUT;

	if (!s->is_greeted || s->n_owed > 0)
		class = reply(s, text, sizeof(text), n_secrets);
	while (s->plan->is_batched && s->n_owed > 0 && !is_end(class))
		class = reply(s, text, sizeof(text), n_secrets);
	if (text[0])
		session_hear(session, text, strlen(text));
	if (class == HANG_UP || class == TIMEOUT)
		session_lost(session, class == HANG_UP ? "connection closed" : "timeout");
}

static void start_mail(const struct plan *p, struct session *session)
{
	static const char *const recipients[] = {"a@x.test", "b@x.test", "c@x.test"};
	static const char body[] = "Subject: x\r\n\r\n.dot\r\n";
	static struct connection_mail mail;
	struct err e;

	mail = (struct connection_mail){.sender = "me@x.test",
					.recipients = recipients,
					.n_recipients = p->n_recipients,
					.body = body,
					.body_len = sizeof(body) - 1};
	assert_int_equal(session_send(session, &mail, &e), 0);
}

/* Runs the whole conversation; returns the number of replies. */
static int converse(const struct plan *p)
{
	struct server s = {.plan = p};
	struct session *session = open_session(p);
	int n_sent = 0, n_done = 0, n_secrets = 0, steps = 0;

	current = p;
	for (; session_step(session) != SESSION_CLOSE; steps++) {
		REQUIRE(steps < 100);
		take_output(&s, session);
		switch (session_step(session)) {
		case SESSION_WAIT:
			answer(&s, session, &n_secrets);
			break;
		case SESSION_SECURE:
			REQUIRE(s.n_owed == 0 && p->tls != CLEAR);
			s.is_secure = true;
			session_secured(session);
			break;
		case SESSION_READY:
			if (n_sent++ < 2)
				start_mail(p, session);
			else
				session_quit(session);
			break;
		case SESSION_FENCE:
			REQUIRE((s.n_accepted > 0 && s.is_data) || s.is_shifted);
			session_dot(session);
			break;
		case SESSION_DONE:
			check_results(&s, session);
			n_done++;
			session_next(session);
			break;
		case SESSION_CLOSE:
			break;
		}
	}
	REQUIRE(n_done == (n_sent > 2 ? 2 : n_sent));
	REQUIRE((session_failure(session) != NULL) == (n_sent == 0));
	if (p->at[0] < 0)
		REQUIRE(n_done == 2 && s.is_dot_ok);
	session_free(session);
	return s.n_replies;
}

static void try_all_pairs(struct plan p)
{
	int n;

	p.at[0] = p.at[1] = -1;
	n = converse(&p);
	for (int i = 0; i < n; i++)
		for (int a = OK_2XX; a < CLASSES; a++)
			for (int j = i + 1; j < n + 2; j++)
				for (int b = OK_2XX; b < CLASSES; b++) {
					p.at[0] = i;
					p.class[0] = (enum reply_class)a;
					p.at[1] = j;
					p.class[1] = (enum reply_class)b;
					converse(&p);
				}
}

static void every_conversation_ends_with_results_that_are_true(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++)
		for (enum tls tls = CLEAR; tls < TLS_KINDS; tls++)
			for (size_t n = 1; n <= 3; n++) {
				struct plan p = {.is_pipelining = bits & 1,
						 .is_batched = bits & 2,
						 .has_auth = bits & 4,
						 .is_login = bits & 8,
						 .tls = tls,
						 .n_recipients = n};

				if ((n == 3 && tls != CLEAR) ||
				    (p.is_batched && !p.is_pipelining) ||
				    (p.is_login && !p.has_auth))
					continue;
				try_all_pairs(p);
			}
}

UNIT_TESTS(cmocka_unit_test(every_conversation_ends_with_results_that_are_true))
