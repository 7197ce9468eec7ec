/* The built-in sink as a client on its socketpair sees it, with a real Redis behind it. */
#include "tests/unit/store/store_fixture.h"

#include <errno.h>
#include <sys/socket.h>

#include "server/base/log.h"
#include "server/store/projects/inbox.h"
#include "smtp/sink.h"

struct client {
	struct sink *sink;
	struct sink_peer *peer;
	int fd;
	char heard[8192]; /* all that came since the last say */
	size_t n_heard;
	const char *awaited;
	bool is_closed;
};

static void connect_client(struct fixture *f, struct client *c)
{
	struct err e = {0};

	*c = (struct client){.sink = sink_new(f->loop, f->store), .fd = -1};
	assert_non_null(c->sink);
	c->fd = sink_connect(c->sink, &c->peer, &e);
	assert_true(c->fd >= 0);
	sink_announce(c->peer, PROJECT, "msg_00000000000000000000000000");
}

static void disconnect_client(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	sink_free(c->sink);
}

static bool has_heard(struct fixture *f, void *arg)
{
	struct client *c = arg;
	ssize_t n;

	(void)f;
	while ((n = recv(c->fd, c->heard + c->n_heard, sizeof(c->heard) - 1 - c->n_heard, 0)) > 0)
		c->n_heard += (size_t)n;
	c->heard[c->n_heard] = 0;
	c->is_closed |= n == 0 || (n < 0 && errno != EAGAIN);
	return c->is_closed || (c->awaited && strstr(c->heard, c->awaited));
}

static void send_bytes(struct fixture *f, struct client *c, const char *bytes, size_t len)
{
	c->n_heard = 0;
	while (len) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else {
			assert_int_equal(errno, EAGAIN);
			run_for(f, 1);
		}
	}
}

/* Says it, and waits until the answer is there. */
static void talk(struct fixture *f, struct client *c, const char *text, const char *answer)
{
	send_bytes(f, c, text, strlen(text));
	c->awaited = answer;
	if (!becomes_within(f, has_heard, c, 8000) || !strstr(c->heard, answer))
		fail_msg("after %.60s: \"%s\", not %s", text, c->heard, answer);
}

static void greet(struct fixture *f, struct client *c)
{
	talk(f, c, "", "220 sink ESMTP\r\n");
	talk(f, c, "EHLO me.test\r\n", "250 SIZE 67108864\r\n");
	assert_non_null(strstr(c->heard, "250-PIPELINING\r\n"));
	assert_non_null(strstr(c->heard, "250-ENHANCEDSTATUSCODES\r\n"));
}

struct listed {
	int calls;
	size_t n, mail_len;
	char mail[512], sender[400], message[31];
	int64_t received_ms;
};

static void on_listed(const struct inbox_page *page, const struct err *why, void *arg)
{
	struct listed *l = arg;

	l->calls++;
	assert_null(why);
	l->n = page->n;
	if (l->n == 0)
		return;
	snprintf(l->mail, sizeof(l->mail), "%s", page->mails[0].mail);
	snprintf(l->sender, sizeof(l->sender), "%s", page->mails[0].sender);
	snprintf(l->message, sizeof(l->message), "%s", page->mails[0].message);
	l->mail_len = page->mails[0].mail_len;
	l->received_ms = page->mails[0].received_ms;
}

static struct listed list(struct fixture *f, const char *recipient)
{
	struct listed l = {0};

	inbox_list(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = recipient, .limit = 10},
		   on_listed, &l);
	assert_true(becomes(f, was_called, &l.calls));
	return l;
}

static void a_mail_is_in_the_inbox_when_250_is_sent(void **state)
{
	struct fixture *f = *state;
	struct client c;
	struct listed l;

	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c,
	     "MAIL FROM:<me@x.test> SIZE=10\r\nRCPT TO:<ann@x.test>\r\n"
	     "RCPT TO:<bob@x.test>\r\nDATA\r\n",
	     "354 ");
	talk(f, &c, "Subject: x\r\n\r\n..stuffed\r\n.. \r\nend\r\n.\r\n", "250 2.0.0");
	l = list(f, "ann@x.test");
	assert_int_equal(l.n, 1);
	assert_string_equal(l.mail, "Subject: x\r\n\r\n.stuffed\r\n. \r\nend\r\n");
	assert_string_equal(l.sender, "me@x.test");
	assert_string_equal(l.message, "msg_00000000000000000000000000");
	assert_true(llabs(l.received_ms - clock_real_ms()) < 10000);
	assert_int_equal(list(f, "bob@x.test").n, 1);
	talk(f, &c, "QUIT\r\n", "221 ");
	disconnect_client(&c);
}

static void bytes_may_arrive_one_by_one_and_mails_one_after_the_other(void **state)
{
	static const char talked[] =
		"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\none\r\n.\r\n"
		"MAIL FROM:<b@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n";
	struct fixture *f = *state;
	struct client c;
	struct listed l;

	connect_client(f, &c);
	for (size_t i = 0; i + 1 < sizeof(talked); i++) {
		if (strncmp(&talked[i], "MAIL FROM:<b", 12) == 0)
			sink_announce(c.peer, PROJECT, "msg_00000000000000000000000001");
		send_bytes(f, &c, &talked[i], 1);
		run_for(f, talked[i] == '\n' ? 2 : 0);
	}
	talk(f, &c, "", "221 ");
	l = list(f, "ann@x.test");
	assert_int_equal(l.n, 2);
	assert_string_equal(l.mail, "two\r\n");
	disconnect_client(&c);
}

static void commands_that_arrive_while_a_mail_is_stored_get_their_replies_after_it(void **state)
{
	struct fixture *f = *state;
	struct client c;

	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c,
	     "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\none\r\n.\r\n"
	     "MAIL FROM:<b@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n",
	     "221 2.0.0 bye\r\n");
	assert_int_equal(list(f, "ann@x.test").n, 2);
	disconnect_client(&c);
}

static void commands_out_of_order_get_an_error_reply(void **state)
{
	static const struct {
		const char *say, *answer;
	} rows[] = {
		{"DATA\r\n", "503 "},
		{"MAIL FROM:nobody\r\n", "501 "},
		{"MAIL FROM:<a@x.test\r\n", "501 "},
		{"RCPT TO:\r\n", "501 "},
		{"HELP\r\n", "500 "},
		{"\r\n", "500 "},
		{"mail from:<a@x.test>\r\n", "250 2.1.0"},
		{"Rcpt To:<b@x.test>\n", "250 2.1.5"},
		{"RSET\r\n", "250 "},
		{"DATA\r\n", "503 "}, /* RSET forgot the recipient */
		{"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nMAIL FROM:<c@x.test>\r\n",
		 "ok\r\n"},
		{"DATA\r\n", "503 "},
	};
	struct fixture *f = *state;
	struct client c;

	connect_client(f, &c);
	greet(f, &c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		talk(f, &c, rows[i].say, rows[i].answer);
		run_for(f, 10);
	}
	disconnect_client(&c);
}

static void too_many_recipients_are_refused(void **state)
{
	struct fixture *f = *state;
	struct client c;
	char line[64];

	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c, "MAIL FROM:<a@x.test>\r\n", "250 ");
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<r%d@x.test>\r\n", i);
		talk(f, &c, line, "250 ");
	}
	talk(f, &c, "RCPT TO:<more@x.test>\r\n", "452 ");
	disconnect_client(&c);
}

static void a_line_without_an_end_closes_the_connection_but_not_the_peer_in_use(void **state)
{
	struct fixture *f = *state;
	struct client c;
	char line[4096];

	connect_client(f, &c);
	greet(f, &c);
	memset(line, 'x', sizeof(line));
	send_bytes(f, &c, line, sizeof(line));
	c.awaited = NULL;
	assert_true(becomes_within(f, has_heard, &c, 2000));
	assert_true(c.is_closed);
	sink_announce(c.peer, PROJECT, "msg_00000000000000000000000001");
	sink_release(c.peer);
	disconnect_client(&c);
}

static void a_large_mail_passes(void **state)
{
	struct fixture *f = *state;
	size_t len = (size_t)4 << 20;
	char *mail = malloc(len);
	struct client c;

	assert_non_null(mail);
	for (size_t i = 0; i < len; i++)
		mail[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'x';
	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n", "354 ");
	send_bytes(f, &c, mail, len);
	talk(f, &c, "\r\n.\r\n", "250 2.0.0");
	assert_int_equal(list(f, "ann@x.test").mail_len, 1 << 20); /* what the inbox keeps */
	disconnect_client(&c);
	free(mail);
}

static void without_the_store_the_reply_is_451(void **state)
{
	struct fixture *f = *state;
	struct client c;

	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n", "354 ");
	kill_redis(f);
	talk(f, &c, "y\r\n.\r\n", "451 4.3.0");
	start_redis(f);
	wait_ready(f);
	talk(f, &c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n", "354 ");
	talk(f, &c, "y\r\n.\r\n", "250 2.0.0");
	assert_string_equal(list(f, "ann@x.test").mail, "y\r\n");
	disconnect_client(&c);
}

static void a_client_that_closes_while_a_mail_is_stored_does_no_harm(void **state)
{
	struct fixture *f = *state;
	struct client c;

	connect_client(f, &c);
	greet(f, &c);
	talk(f, &c,
	     "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nRCPT TO:<bob@x.test>\r\n"
	     "DATA\r\n",
	     "354 ");
	kill(f->redis, SIGSTOP);
	send_bytes(f, &c, "x\r\n.\r\n", 6);
	run_for(f, 30);
	close(c.fd);
	c.fd = -1;
	run_for(f, 30);
	kill(f->redis, SIGCONT);
	run_for(f, 100);
	assert_int_equal(list(f, "bob@x.test").n, 1);
	disconnect_client(&c);
}

static void it_is_freed_under_way_when_the_process_ends(void **state)
{
	struct fixture *f = *state;
	struct sink_peer *second;
	struct client c;
	struct err e;
	int fd;

	connect_client(f, &c);
	greet(f, &c);
	fd = sink_connect(c.sink, &second, &e);
	assert_true(fd >= 0);
	talk(f, &c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n", "354 ");
	kill(f->redis, SIGSTOP);
	send_bytes(f, &c, "x\r\n.\r\n", 6);
	run_for(f, 30);
	redis_abandon(f->store);
	sink_free(c.sink);
	sink_free(NULL);
	c.sink = NULL;
	kill(f->redis, SIGCONT);
	run_for(f, 50);
	close(fd);
	close(c.fd);
}

UNIT_TESTS(READY(a_mail_is_in_the_inbox_when_250_is_sent),
	   READY(bytes_may_arrive_one_by_one_and_mails_one_after_the_other),
	   READY(commands_that_arrive_while_a_mail_is_stored_get_their_replies_after_it),
	   READY(commands_out_of_order_get_an_error_reply), READY(too_many_recipients_are_refused),
	   READY(a_line_without_an_end_closes_the_connection_but_not_the_peer_in_use),
	   READY(a_large_mail_passes), READY(without_the_store_the_reply_is_451),
	   READY(a_client_that_closes_while_a_mail_is_stored_does_no_harm),
	   READY(it_is_freed_under_way_when_the_process_ends))
