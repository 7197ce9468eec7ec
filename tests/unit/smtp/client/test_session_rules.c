/* Rules of the SMTP session one by one: what is sent in one write, what is never sent, the time
 * limits, how the body is cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/session.h"
#include "tests/unit/unit.h"

static const char *const two[] = {"a@x.test", "b@x.test"};

static struct session *new_session(const struct session_options *options)
{
	struct session_options o = options ? *options : (struct session_options){0};
	struct session *s;

	if (!o.helo_name)
		o.helo_name = "me.test";
	assert_int_equal(session_new(&s, &o, NULL), 0);
	session_connected(s, "192.0.2.1");
	return s;
}

static void hear(struct session *s, const char *text)
{
	session_hear(s, text, strlen(text));
}

/* All current output of the session, `step` bytes written at a time. */
static void said(struct session *s, char *out, size_t size, size_t step)
{
	struct iovec pieces[3];
	size_t at = 0, n;

	while ((n = session_pieces(s, pieces, 3)) > 0) {
		size_t left = step;

		for (size_t i = 0; i < n && left > 0; i++) {
			size_t take = pieces[i].iov_len < left ? pieces[i].iov_len : left;

			assert_true(at + take < size);
			memcpy(out + at, pieces[i].iov_base, take);
			at += take;
			left -= take;
		}
		session_wrote(s, step - left);
	}
	out[at] = 0;
}

static void expect(struct session *s, const char *text)
{
	char out[4096];

	said(s, out, sizeof(out), sizeof(out));
	assert_string_equal(out, text);
}

static struct session *ready_session(const char *ehlo)
{
	struct session *s = new_session(NULL);

	hear(s, "220 hi\r\n");
	expect(s, "EHLO me.test\r\n");
	hear(s, ehlo);
	assert_int_equal(session_step(s), SESSION_READY);
	return s;
}

static int send_body(struct session *s, const char *head, const char *body, struct err *e)
{
	struct connection_mail mail = {.sender = "me@x.test",
				       .recipients = two,
				       .n_recipients = 2,
				       .head = head,
				       .head_len = head ? strlen(head) : 0,
				       .body = body,
				       .body_len = strlen(body)};

	return session_send(s, &mail, e);
}

static void the_envelope_is_one_write_where_pipelining_is_offered(void **state)
{
	struct session *s = ready_session("250-hi\r\n250-SIZE 1000\r\n250 PIPELINING\r\n");
	struct iovec pieces[4];

	(void)state;
	assert_int_equal(send_body(s, "DKIM: x\r\n", "a\r\nb", NULL), 0);
	assert_int_equal(session_pieces(s, pieces, 4), 1);
	expect(s, "MAIL FROM:<me@x.test> SIZE=15\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n"
		  "DATA\r\n");
	hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	assert_int_equal(session_pieces(s, pieces, 4), 3);
	expect(s, "DKIM: x\r\na\r\nb\r\n");
	assert_int_equal(session_step(s), SESSION_FENCE);
	session_dot(s);
	expect(s, ".\r\n");
	session_free(s);
}

static void the_body_is_stuffed_wherever_a_write_ends(void **state)
{
	static const char body[] = ".\r\n..\r\n.foo\r\n\r\n.\r\nx.\r\n.";
	static const char wire[] = "..h: 1\r\n..\r\n...\r\n..foo\r\n\r\n..\r\nx.\r\n..\r\n";

	(void)state;
	for (size_t step = 1; step < sizeof(wire) + 1; step++) {
		struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
		char out[200];

		assert_int_equal(send_body(s, ".h: 1\r\n", body, NULL), 0);
		said(s, out, sizeof(out), sizeof(out));
		hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
		said(s, out, sizeof(out), step);
		assert_string_equal(out, wire);
		assert_int_equal(session_step(s), SESSION_FENCE);
		session_free(s);
	}
}

static void random_bodies_come_back_after_unstuffing(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 2000; round++) {
		struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
		char body[400] = "", out[1000];
		size_t at = 0, step = (size_t)(rand() % 40) + 1;

		for (int i = rand() % 60; i > 0; i--)
			strcat(body, rand() % 3 ? (rand() % 2 ? "." : "x") : "\r\n");
		assert_int_equal(send_body(s, NULL, body, NULL), 0);
		said(s, out, sizeof(out), sizeof(out));
		hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
		said(s, out, sizeof(out), step);
		for (const char *line = out; *line; line = strchr(line, '\n') + 1) {
			const char *from = *line == '.' ? line + 1 : line;
			size_t len = (size_t)(strchr(line, '\n') + 1 - from);

			assert_true(strncmp(line, ".\r\n", 3) != 0);
			if (strlen(body + at) < len)
				strcat(body, "\r\n");
			assert_memory_equal(body + at, from, len);
			at += len;
		}
		assert_int_equal(at, strlen(body));
		session_free(s);
	}
}

/* Even if the API accepted it, it is refused here. */
static void an_address_that_leaves_its_command_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"a@x.test>\r\nRCPT TO:<evil@y.test",
		"a@x.test\nb",
		"a@x.test\rb",
		"a\tb@x.test",
		"a\x7f@x.test",
		"a\x01@x.test",
		"\"a\r\n\"@x.test",
		"\"a\\\x7f\"@x.test",
		"a\xe2\x80\xa8@x.test",
		"a\xc2\x85@x.test",
		"a@x.test> SIZE=1",
		"a b@x.test",
		"<a@x.test",
		"\"a@x.test",
		"\"a\\\"@x.test",
	};
	struct session *s = ready_session("250 hi\r\n");
	struct iovec piece;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *const recipients[] = {"good@x.test", bad[i]};
		struct connection_mail mail = {"me@x.test", recipients, 2, NULL, 0, "x\r\n", 3};
		struct err e;

		assert_int_equal(session_send(s, &mail, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		mail = (struct connection_mail){bad[i], recipients, 1, NULL, 0, "x\r\n", 3};
		assert_int_equal(session_send(s, &mail, &e), -1);
		assert_int_equal(session_pieces(s, &piece, 1), 0);
		assert_int_equal(session_step(s), SESSION_READY);
	}
	session_free(s);
}

static void a_quoted_local_part_is_an_address(void **state)
{
	const char *const recipients[] = {"\"a b<>\\\"\"@x.test"};
	struct connection_mail mail = {"me@x.test", recipients, 1, NULL, 0, "x\r\n", 3};
	struct session *s = ready_session("250 hi\r\n");

	(void)state;
	assert_int_equal(session_send(s, &mail, NULL), 0);
	session_free(s);
}

static void a_helo_name_that_leaves_its_command_is_refused(void **state)
{
	static const char *const bad[] = {"a b", "a\r\nMAIL", "a\n", "a\x7f", "\xc3\xa4.test"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct session_options o = {.helo_name = bad[i]};
		struct session *s;
		struct err e;

		assert_int_equal(session_new(&s, &o, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

/* A bare LF before a dot ends the mail for some servers and not for others (SMTP smuggling). */
static void a_body_with_a_bare_cr_or_lf_is_refused(void **state)
{
	static const char *const bad[] = {"a\n.\r\nMAIL", "a\r.\r\n", "\n",
					  "\r",           "a\r\n\n",  "a\r\r\n"};
	struct session *s = ready_session("250 hi\r\n");
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(send_body(s, NULL, bad[i], &e), -1);
	assert_int_equal(send_body(s, "no end", "a\r\n", &e), -1);
	assert_int_equal(send_body(s, NULL, "a\r\n", &e), 0);
	session_free(s);
}

/* RFC 5321 4.5.3.2; At least 600 s after the dot. */
static void waits_are_those_of_the_rfc(void **state)
{
	struct session *s = new_session(NULL);

	(void)state;
	assert_int_equal(session_wait_s(s), 300);
	hear(s, "220 hi\r\n");
	hear(s, "250 hi\r\n");
	assert_int_equal(session_wait_s(s), 0);
	expect(s, "EHLO me.test\r\n");
	assert_int_equal(send_body(s, NULL, "x\r\n", NULL), 0);
	assert_int_equal(session_wait_s(s), 300);
	hear(s, "250 ok\r\n");
	assert_int_equal(session_wait_s(s), 300);
	hear(s, "250 ok\r\n");
	hear(s, "250 ok\r\n");
	assert_int_equal(session_wait_s(s), 120);
	hear(s, "354 go\r\n");
	assert_int_equal(session_wait_s(s), 180);
	session_wrote(s, strlen("MAIL FROM:<me@x.test>\r\nRCPT TO:<a@x.test>\r\n"
				"RCPT TO:<b@x.test>\r\nDATA\r\nx\r\n"));
	assert_int_equal(session_step(s), SESSION_FENCE);
	session_dot(s);
	assert_int_equal(session_wait_s(s), 600);
	session_free(s);
}

/* The deadline of a stage does not move while bytes trickle in, that of the body moves
 * only with whole blocks. */
static void slow_octets_do_not_extend_the_deadline(void **state)
{
	struct session *s = new_session(NULL);
	unsigned turn = session_turn(s);
	char *body = malloc(200001);

	(void)state;
	for (int i = 0; i < 50; i++)
		hear(s, "220-still\r\n");
	assert_int_equal(session_turn(s), turn);
	session_free(s);

	s = ready_session("250-hi\r\n250 PIPELINING\r\n");
	memset(body, 'x', 200000);
	body[200000] = 0;
	assert_int_equal(send_body(s, NULL, body, NULL), 0);
	expect(s, "MAIL FROM:<me@x.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n");
	hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	turn = session_turn(s);
	for (int i = 0; i < 65535; i++)
		session_wrote(s, 1);
	assert_int_equal(session_turn(s), turn);
	session_wrote(s, 1);
	assert_int_not_equal(session_turn(s), turn);
	session_free(s);
	free(body);
}

static void a_session_can_be_given_up_until_it_is_ready(void **state)
{
	struct session *s = new_session(NULL);
	const struct connection_result *failure;

	(void)state;
	session_give_up(s, "no greeting within 9 s");
	assert_int_equal(session_step(s), SESSION_CLOSE);
	failure = session_failure(s);
	assert_string_equal(failure->text, "no greeting within 9 s");
	assert_int_equal(failure->source, SOURCE_LOCAL);
	assert_int_equal(failure->outcome, OUTCOME_DEFERRED);
	assert_int_equal(failure->phase, PHASE_GREETING);
	session_give_up(s, "again"); /* the first reason counts */
	assert_string_equal(session_failure(s)->text, "no greeting within 9 s");
	session_free(s);
	s = ready_session("250 hi\r\n");
	session_give_up(s, "too late");
	assert_int_equal(session_step(s), SESSION_READY);
	assert_null(session_failure(s));
	session_free(s);
}

/* A session whose mail for two recipients has got n of the replies to MAIL, RCPT, RCPT, DATA. */
static struct session *session_in_mail(int n)
{
	static const char *const replies[] = {"250 ok\r\n", "550 no\r\n", "250 ok\r\n",
					      "354 go\r\n"};
	struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");

	assert_int_equal(send_body(s, NULL, "x\r\n", NULL), 0);
	expect(s, "MAIL FROM:<me@x.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n");
	for (int i = 0; i < n; i++)
		hear(s, replies[i]);
	return s;
}

static void a_mail_can_be_given_up_until_its_body_begins(void **state)
{
	const struct connection_result *results;
	struct session *s;
	size_t n;

	(void)state;
	for (int replies = 0; replies < 4; replies++) {
		s = session_in_mail(replies);
		session_give_up(s, "no reply within 9 s");
		assert_int_equal(session_step(s), SESSION_DONE);
		results = session_results(s, &n);
		assert_int_equal(n, 2);
		assert_int_equal(results[0].code, replies > 1 ? 550 : 0);
		assert_string_equal(results[1].text, "no reply within 9 s");
		assert_int_equal(results[1].outcome, OUTCOME_DEFERRED);
		assert_int_equal(results[1].phase, PHASE_NONE);
		session_next(s);
		assert_int_equal(session_step(s), SESSION_CLOSE);
		session_free(s);
	}
	s = session_in_mail(4);
	session_give_up(s, "too late");
	assert_int_equal(session_step(s), SESSION_WAIT);
	session_free(s);
}

/* The outcome is unknown from the first byte of the dot that left, not before. */
static void a_dot_that_never_left_is_no_unknown_outcome(void **state)
{
	(void)state;
	for (int wrote = 0; wrote < 2; wrote++) {
		struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
		struct iovec piece;
		size_t n;

		assert_int_equal(send_body(s, NULL, "", NULL), 0);
		expect(s, "MAIL FROM:<me@x.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n"
			  "DATA\r\n");
		hear(s, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
		assert_int_equal(session_step(s), SESSION_FENCE);
		session_dot(s);
		if (wrote)
			session_wrote(s, 1);
		session_lost(s, "reset");
		assert_int_equal(session_step(s), SESSION_DONE);
		assert_int_equal(session_results(s, &n)[0].outcome,
				 wrote ? OUTCOME_UNKNOWN : OUTCOME_DEFERRED);
		assert_int_equal(session_results(s, &n)[1].outcome, OUTCOME_BOUNCED);
		/* Nor may it leave after that. */
		assert_int_equal(session_pieces(s, &piece, 1), 0);
		session_next(s);
		assert_int_equal(session_pieces(s, &piece, 1), 0);
		session_free(s);
	}
}

static void a_good_reply_before_the_dot_does_not_count(void **state)
{
	struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
	size_t n;

	(void)state;
	assert_int_equal(send_body(s, NULL, "", NULL), 0);
	session_wrote(s, 1000);
	hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	session_dot(s);
	hear(s, "250 queued\r\n");
	assert_int_equal(session_results(s, &n)[0].outcome, OUTCOME_DEFERRED);
	session_free(s);
}

/* Octets with or after the last reply are not a reply to the next mail. */
static void bytes_after_the_last_reply_end_the_connection(void **state)
{
	(void)state;
	for (int is_later = 0; is_later < 2; is_later++) {
		struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
		size_t n;

		assert_int_equal(send_body(s, NULL, "", NULL), 0);
		session_wrote(s, 1000);
		hear(s, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
		session_dot(s);
		session_wrote(s, 3);
		hear(s, is_later ? "250 queued\r\n" : "250 queued\r\n2");
		assert_int_equal(session_results(s, &n)[0].outcome, OUTCOME_DELIVERED);
		session_next(s);
		if (is_later)
			hear(s, "2");
		assert_int_equal(session_step(s), SESSION_CLOSE);
		session_free(s);
	}
}

static void the_password_is_wiped_once_it_is_out(void **state)
{
	struct session_options o = {.user = "me", .password = "hunter2", .may_auth_in_clear = true};
	struct session *s = new_session(&o);
	struct iovec piece;
	char first[64];

	(void)state;
	hear(s, "220 hi\r\n");
	expect(s, "EHLO me.test\r\n");
	hear(s, "250-hi\r\n250 AUTH PLAIN\r\n");
	assert_int_equal(session_pieces(s, &piece, 1), 1);
	assert_memory_equal(piece.iov_base, "AUTH PLAIN AG1lAGh1bnRlcjI=\r\n", 29);
	session_wrote(s, piece.iov_len);
	memset(first, 0, sizeof(first));
	assert_memory_equal(piece.iov_base, first, 29);
	session_free(s);
}

static void without_tls_the_password_is_not_sent(void **state)
{
	struct session_options o = {.user = "me", .password = "hunter2"};
	struct session *s = new_session(&o);

	(void)state;
	hear(s, "220 hi\r\n");
	expect(s, "EHLO me.test\r\n");
	hear(s, "250-hi\r\n250 AUTH PLAIN LOGIN\r\n");
	assert_int_equal(session_step(s), SESSION_CLOSE);
	expect(s, "QUIT\r\n");
	assert_non_null(strstr(session_failure(s)->text, "password is not sent in clear"));
	session_free(s);
}

static void a_server_with_our_name_is_a_loop_where_that_is_looked_for(void **state)
{
	static const struct {
		bool is_mx;
		const char *greeting, *ehlo;
		bool is_loop;
	} cases[] = {
		{true, "220 me.test ESMTP\r\n", NULL, true},
		{true, "220 ME.Test\r\n", NULL, true},
		{true, "220-me.test hello\r\n220 you.test\r\n", NULL, true},
		{true, "220 you.test\r\n", "250-me.test\r\n250 SIZE 1\r\n", true},
		{true, "220 you.test me.test\r\n", "250 you.test hello me.test\r\n", false},
		{true, "220 me.test.you\r\n", "250-you.test\r\n250 me.test\r\n", false},
		{true, "220\r\n", "250\r\n", false},
		{false, "220 me.test ESMTP\r\n", "250 me.test\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_options o = {.is_mx = cases[i].is_mx};
		struct session *s = new_session(&o);

		hear(s, cases[i].greeting);
		if (cases[i].ehlo) {
			expect(s, "EHLO me.test\r\n");
			hear(s, cases[i].ehlo);
		}
		assert_int_equal(session_step(s), cases[i].is_loop ? SESSION_CLOSE : SESSION_READY);
		if (cases[i].is_loop) {
			expect(s, "QUIT\r\n");
			assert_int_equal(session_failure(s)->outcome, OUTCOME_BOUNCED);
			assert_non_null(strstr(session_failure(s)->text, "our name, me.test"));
		}
		session_free(s);
	}
}

static void without_a_name_our_address_is_sent(void **state)
{
	static const struct {
		const char *name, *ip, *says;
	} cases[] = {
		{NULL, "192.0.2.1", "EHLO [192.0.2.1]\r\n"},
		{"", "2001:db8::1", "EHLO [IPv6:2001:db8::1]\r\n"},
		{NULL, "", "EHLO [127.0.0.1]\r\n"},
		{"mail.test", "192.0.2.1", "EHLO mail.test\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_options o = {.helo_name = cases[i].name};
		struct session *s;

		assert_int_equal(session_new(&s, &o, NULL), 0);
		session_connected(s, cases[i].ip);
		hear(s, "220 hi\r\n");
		expect(s, cases[i].says);
		session_free(s);
	}
}

/* Who wrote the result, what the reply was to, and its enhanced code. */
static void a_result_says_where_it_comes_from(void **state)
{
	struct session *s = ready_session("250-hi\r\n250 PIPELINING\r\n");
	const struct connection_result *results;
	size_t n;

	(void)state;
	assert_int_equal(send_body(s, NULL, "", NULL), 0);
	session_wrote(s, 1000);
	hear(s, "250 ok\r\n550-5.1.1 no\r\n550 5.7.1 user\r\n250 ok\r\n354 go\r\n");
	session_dot(s);
	session_wrote(s, 3);
	session_lost(s, "reset");
	results = session_results(s, &n);
	assert_int_equal(results[0].source, SOURCE_REMOTE);
	assert_int_equal(results[0].phase, PHASE_RCPT);
	assert_int_equal(results[0].code, 550);
	assert_int_equal(results[0].enhanced.class, 5);
	assert_int_equal(results[0].enhanced.subject, 1);
	assert_int_equal(results[0].enhanced.detail, 1);
	assert_string_equal(results[0].text, "5.1.1 no 5.7.1 user");
	assert_int_equal(results[1].source, SOURCE_LOCAL);
	assert_int_equal(results[1].phase, PHASE_DOT);
	assert_int_equal(results[1].code, 0);
	assert_int_equal(results[1].enhanced.class, 0);
	session_free(s);
}

UNIT_TESTS(cmocka_unit_test(the_envelope_is_one_write_where_pipelining_is_offered),
	   cmocka_unit_test(the_body_is_stuffed_wherever_a_write_ends),
	   cmocka_unit_test(random_bodies_come_back_after_unstuffing),
	   cmocka_unit_test(an_address_that_leaves_its_command_is_refused),
	   cmocka_unit_test(a_quoted_local_part_is_an_address),
	   cmocka_unit_test(a_helo_name_that_leaves_its_command_is_refused),
	   cmocka_unit_test(a_body_with_a_bare_cr_or_lf_is_refused),
	   cmocka_unit_test(waits_are_those_of_the_rfc),
	   cmocka_unit_test(slow_octets_do_not_extend_the_deadline),
	   cmocka_unit_test(a_session_can_be_given_up_until_it_is_ready),
	   cmocka_unit_test(a_mail_can_be_given_up_until_its_body_begins),
	   cmocka_unit_test(a_dot_that_never_left_is_no_unknown_outcome),
	   cmocka_unit_test(a_good_reply_before_the_dot_does_not_count),
	   cmocka_unit_test(bytes_after_the_last_reply_end_the_connection),
	   cmocka_unit_test(the_password_is_wiped_once_it_is_out),
	   cmocka_unit_test(without_tls_the_password_is_not_sent),
	   cmocka_unit_test(a_server_with_our_name_is_a_loop_where_that_is_looked_for),
	   cmocka_unit_test(without_a_name_our_address_is_sent),
	   cmocka_unit_test(a_result_says_where_it_comes_from))
