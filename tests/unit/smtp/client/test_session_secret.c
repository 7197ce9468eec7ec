/* The password goes to the server only: it is not in transcripts or results, even if the server
 * quotes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client/session.h"
#include "smtp/client/transcript.h"
#include "tests/unit/unit.h"

#define USER "relay-user"
#define PASSWORD "canary-of-a-password"
#define PASSWORD_64 "Y2FuYXJ5LW9mLWEtcGFzc3dvcmQ="
#define PLAIN_64 "AHJlbGF5LXVzZXIAY2FuYXJ5LW9mLWEtcGFzc3dvcmQ="

struct talk {
	struct session *session;
	struct transcript transcript;
	struct buf wire; /* all that was said */
};

static void say(struct talk *t)
{
	struct iovec pieces[4];
	size_t n;

	while ((n = session_pieces(t->session, pieces, 4)) > 0) {
		buf_append(&t->wire, pieces[0].iov_base, pieces[0].iov_len);
		session_wrote(t->session, pieces[0].iov_len);
	}
}

static void hear(struct talk *t, const char *bytes)
{
	session_hear(t->session, bytes, strlen(bytes));
	say(t);
}

static void begin(struct talk *t, const char *password, const char *offer)
{
	struct session_options options = {.helo_name = "me.test",
					  .user = USER,
					  .password = password,
					  .may_auth_in_clear = true,
					  .transcript = &t->transcript};

	*t = (struct talk){0};
	transcript_open(&t->transcript, "h", "a");
	assert_int_equal(session_new(&t->session, &options, NULL), 0);
	session_connected(t->session, "192.0.2.1");
	hear(t, "220 hi\r\n");
	hear(t, offer);
}

/* What anybody may see: transcript, a newline, the reason. */
static struct buf end(struct talk *t)
{
	const struct connection_result *failure = session_failure(t->session);
	struct buf seen = {0};

	transcript_text(&t->transcript, &seen);
	if (failure)
		buf_str(&seen, failure->text);
	session_free(t->session);
	transcript_deinit(&t->transcript);
	return seen;
}

static void check_no_secret(const struct buf *seen)
{
	static const char *const secrets[] = {PASSWORD, PASSWORD_64, PLAIN_64,
					      "canary", "Y2FuYXJ5",  "AHJlbGF5"};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (strstr(buf_text(seen), secrets[i]))
			fail_msg("%s in:\n%s", secrets[i], buf_text(seen));
}

static void credentials_are_masked(void **state)
{
	struct talk t;
	struct buf seen;

	(void)state;
	begin(&t, PASSWORD, "250-hi\r\n250 AUTH PLAIN\r\n");
	assert_non_null(strstr(buf_text(&t.wire), PLAIN_64));
	hear(&t, "535 5.7.8 who?\r\n");
	seen = end(&t);
	check_no_secret(&seen);
	assert_non_null(strstr(buf_text(&seen), "C: AUTH PLAIN ****\n"));
	assert_non_null(strstr(buf_text(&seen), "S: 535 5.7.8 who?\n"));
	buf_deinit(&seen);
	buf_deinit(&t.wire);

	begin(&t, PASSWORD, "250-hi\r\n250 AUTH LOGIN\r\n");
	hear(&t, "334 VXNlcm5hbWU6\r\n");
	hear(&t, "334 UGFzc3dvcmQ6\r\n");
	assert_non_null(strstr(buf_text(&t.wire), PASSWORD_64));
	hear(&t, "535-5.7.8 who\r\n535 5.7.8 are you?\r\n");
	seen = end(&t);
	check_no_secret(&seen);
	assert_non_null(strstr(buf_text(&seen), "C: AUTH LOGIN\n"));
	assert_non_null(strstr(buf_text(&seen), "S: 334 UGFzc3dvcmQ6\n"));
	assert_non_null(strstr(buf_text(&seen), "S: 535-5.7.8 who\n"));
	assert_non_null(strstr(buf_text(&seen), "S: 535 5.7.8 are you?\n"));
	buf_deinit(&seen);
	buf_deinit(&t.wire);
}

static void a_server_that_quotes_them_is_masked_too(void **state)
{
	static const char *const replies[] = {
		"500 5.5.1 what is \"AUTH PLAIN " PLAIN_64 "\"?\r\n",
		"535 5.7.8 wrong: " PASSWORD ".\r\n",
		"535 5.7.8 wrong: " PASSWORD_64 "\r\n",
		"535-5.7.8 " PASSWORD " " PASSWORD "\r\n535 5.7.8 " PASSWORD_64 PLAIN_64 "\r\n",
		"421 4.7.0 " PASSWORD " is no password\r\n",
		"535 5.7.8 AHJlbGF5LXVzZXIAY2FuYXJ5LW9m [cut]\r\n",
		"535 5.7.8 canary-of-a- [cut]\r\n",
		"334 AHJlbGF5LXVzZXIAY2FuYXJ5LW9mLWEtcGFzc3dvcmQ=\r\n",
		"250 2.0.0 welcome " PASSWORD "\r\n",
		"250 2.0.0 welcome\r\n250 " PASSWORD "\r\n",
		"535 5.7.8 ok\r\nnot a reply but " PASSWORD "\r\n",
		"not a reply but " PASSWORD "\r\n",
		"535 " PASSWORD, /* and no end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct talk t;
		struct buf seen;

		begin(&t, PASSWORD, "250-hi\r\n250 AUTH PLAIN\r\n");
		hear(&t, replies[i]);
		session_lost(t.session, "connection closed");
		seen = end(&t);
		check_no_secret(&seen);
		buf_deinit(&seen);
		buf_deinit(&t.wire);
	}
}

static void a_short_password_is_masked_as_well(void **state)
{
	struct talk t;
	struct buf seen;

	(void)state;
	begin(&t, "zq", "250-hi\r\n250 AUTH PLAIN\r\n");
	hear(&t, "535 5.7.8 no zq, zqzq nor z\r\n");
	seen = end(&t);
	assert_null(strstr(buf_text(&seen), "zq"));
	assert_non_null(strstr(buf_text(&seen), "S: 535 5.7.8 no **, **** nor z\n"));
	buf_deinit(&seen);
	buf_deinit(&t.wire);
}

static void octets_that_were_not_written_are_not_in_the_transcript(void **state)
{
	static const char *const recipients[] = {"a@x.test"};
	static const struct connection_mail mail = {"me@x.test", recipients, 1, NULL,
						    0,           "x\r\n",    3};
	struct session_options options = {.helo_name = "me.test"};
	struct transcript transcript = {0};
	struct session *s;
	struct iovec piece;
	struct buf seen = {0};

	(void)state;
	options.transcript = &transcript;
	transcript_open(&transcript, "h", "a");
	assert_int_equal(session_new(&s, &options, NULL), 0);
	session_connected(s, "192.0.2.1");
	session_hear(s, "220 hi\r\n", 8);
	assert_int_equal(session_pieces(s, &piece, 1), 1);
	session_wrote(s, piece.iov_len);
	session_hear(s, "250 hi\r\n", 8);
	assert_int_equal(session_send(s, &mail, NULL), 0);
	assert_int_equal(session_pieces(s, &piece, 1), 1);
	session_wrote(s, 5); /* "MAIL " */
	session_lost(s, "connection reset");
	transcript_text(&transcript, &seen);
	assert_non_null(strstr(buf_text(&seen), "C: MAIL \n"));
	assert_null(strstr(buf_text(&seen), "FROM"));
	assert_non_null(strstr(buf_text(&seen), "* connection reset at MAIL\n"));
	buf_deinit(&seen);
	session_free(s);
	transcript_deinit(&transcript);
}

UNIT_TESTS(cmocka_unit_test(credentials_are_masked),
	   cmocka_unit_test(a_server_that_quotes_them_is_masked_too),
	   cmocka_unit_test(a_short_password_is_masked_as_well),
	   cmocka_unit_test(octets_that_were_not_written_are_not_in_the_transcript))
