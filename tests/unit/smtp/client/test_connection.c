/* A connection on a real loop and a socketpair: when its callbacks fire, and what a peer that
 * vanishes does to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "server/base/loop.h"
#include "smtp/client/connection.h"
#include "tests/unit/unit.h"

struct bench {
	struct loop *loop;
	struct connection *c;
	struct loop_timer tick;
	int server;
	bool is_inside; /* a call of ours is running: no callback may fire */
	bool is_auto_dot;
	int n_ready, n_fence, n_done, n_closed;
	struct connection_result result;
	char failure[200], stage[16];
	bool stop_at_ready, stop_at_fence;
};

static const char *const recipients[] = {"a@x.test"};
static const struct connection_mail mail = {"me@x.test", recipients, 1, NULL, 0, "x\r\n", 3};

static void on_ready(struct connection *c, void *arg)
{
	struct bench *b = arg;

	(void)c;
	assert_false(b->is_inside);
	b->n_ready++;
	if (b->stop_at_ready)
		loop_stop(b->loop);
}

static void on_fence(struct connection *c, void *arg)
{
	struct bench *b = arg;

	assert_false(b->is_inside);
	b->n_fence++;
	if (b->is_auto_dot)
		connection_dot(c);
	if (b->stop_at_fence)
		loop_stop(b->loop);
}

static void on_done(struct connection *c, const struct connection_result *results, size_t n,
		    void *arg)
{
	struct bench *b = arg;

	(void)c;
	assert_false(b->is_inside);
	assert_int_equal(n, 1);
	b->n_done++;
	b->result = results[0];
}

static void on_closed(struct connection *c, const struct connection_result *failure, void *arg)
{
	struct bench *b = arg;

	assert_false(b->is_inside);
	b->n_closed++;
	snprintf(b->stage, sizeof(b->stage), "%s", connection_facts(c)->stage);
	snprintf(b->failure, sizeof(b->failure), "%s", failure ? failure->text : "");
	loop_stop(b->loop);
}

static const struct connection_callbacks callbacks = {on_ready, on_fence, on_done, on_closed};

static void late(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for 10 s");
}

static void open_bench(struct bench *b)
{
	struct connection_options options = {.helo_name = "me.test"};
	int fds[2];

	*b = (struct bench){.loop = loop_new(), .is_auto_dot = true};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	b->server = fds[1];
	assert_int_equal(loop_timer_init(&b->tick, b->loop, late, b), 0);
	loop_timer_set(&b->tick, 10000);
	b->is_inside = true;
	assert_int_equal(connection_adopt(&b->c, b->loop, fds[0], &options, &callbacks, b, NULL),
			 0);
	b->is_inside = false;
}

static void close_bench(struct bench *b)
{
	assert_int_equal(b->n_closed, 1);
	if (b->server >= 0)
		close(b->server);
	loop_timer_deinit(&b->tick);
	loop_free(b->loop);
}

static void serve(struct bench *b, const char *text)
{
	assert_int_equal(write(b->server, text, strlen(text)), (ssize_t)strlen(text));
}

static void hang_up(struct bench *b)
{
	close(b->server);
	b->server = -1;
}

static void make_ready(struct bench *b)
{
	b->stop_at_ready = true;
	serve(b, "220 hi\r\n");
	/* EHLO must be on the wire before its reply is. */
	while (recv(b->server, (char[100]){0}, 100, MSG_DONTWAIT) <= 0)
		event_base_loop(loop_base(b->loop), EVLOOP_ONCE);
	serve(b, "250-hi\r\n250 PIPELINING\r\n");
	loop_run(b->loop);
	assert_int_equal(b->n_ready, 1);
}

static void a_mail_fires_each_callback_once_and_none_inside_a_call(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	make_ready(&b);
	b.stop_at_ready = false;
	b.is_auto_dot = false;
	b.stop_at_fence = true;
	b.is_inside = true;
	assert_int_equal(connection_send(b.c, &mail, NULL), 0);
	b.is_inside = false;
	serve(&b, "250 ok\r\n250 ok\r\n354 go\r\n");
	loop_run(b.loop);
	assert_int_equal(b.n_fence, 1);
	b.is_inside = true;
	connection_dot(b.c);
	b.is_inside = false;
	serve(&b, "250 queued\r\n");
	b.stop_at_ready = true;
	loop_run(b.loop);
	assert_int_equal(b.n_done, 1);
	assert_int_equal(b.n_ready, 2);
	assert_int_equal(b.result.outcome, OUTCOME_DELIVERED);
	b.is_inside = true;
	connection_quit(b.c);
	b.is_inside = false;
	hang_up(&b);
	loop_run(b.loop);
	assert_string_equal(b.failure, "");
	close_bench(&b);
}

/* A write to a peer that is gone is a result, not a signal. */
static void a_peer_that_is_gone_does_not_kill_us(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	make_ready(&b);
	hang_up(&b);
	b.is_inside = true;
	assert_int_equal(connection_send(b.c, &mail, NULL), 0);
	b.is_inside = false;
	loop_run(b.loop);
	assert_int_equal(b.n_done, 1);
	assert_int_equal(b.result.outcome, OUTCOME_DEFERRED);
	close_bench(&b);
}

/* The server's last words are read even when our write fails first. */
static void a_421_before_the_close_is_read(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	make_ready(&b);
	serve(&b, "421 going down\r\n");
	hang_up(&b);
	assert_int_equal(connection_send(b.c, &mail, NULL), 0);
	loop_run(b.loop);
	assert_int_equal(b.n_done, 1);
	assert_int_equal(b.result.code, 421);
	close_bench(&b);
}

static void quit_before_ready_closes_with_a_reason(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	b.is_inside = true;
	connection_quit(b.c);
	b.is_inside = false;
	loop_run(b.loop);
	assert_int_equal(b.n_ready, 0);
	assert_string_equal(b.failure, "stopped by the relay");
	close_bench(&b);
}

static void quit_at_the_fence_cuts_the_mail_and_drop_too(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bench b;
		char rest[400] = "";

		open_bench(&b);
		make_ready(&b);
		b.is_auto_dot = false;
		b.stop_at_fence = true;
		assert_int_equal(connection_send(b.c, &mail, NULL), 0);
		serve(&b, "250 ok\r\n250 ok\r\n354 go\r\n");
		loop_run(b.loop);
		b.is_inside = true;
		if (i)
			connection_quit(b.c);
		else
			connection_drop(b.c);
		b.is_inside = false;
		loop_run(b.loop);
		assert_int_equal(b.result.outcome, OUTCOME_UNTRIED);
		assert_true(read(b.server, rest, sizeof(rest) - 1) > 0);
		assert_non_null(strstr(rest, "DATA\r\nx\r\n"));
		assert_null(strstr(rest, "\r\n."));
		assert_null(strstr(rest, "QUIT"));
		close_bench(&b);
	}
}

static void a_mail_that_cannot_be_sent_is_refused_and_the_connection_stays(void **state)
{
	const char *const bad[] = {"a@x.test>\r\nRSET"};
	struct connection_mail evil = {"me@x.test", bad, 1, NULL, 0, "x\r\n", 3};
	struct bench b;
	struct err e;

	(void)state;
	open_bench(&b);
	make_ready(&b);
	assert_int_equal(connection_send(b.c, &evil, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_int_equal(connection_send(b.c, &mail, &e), 0);
	assert_int_equal(connection_send(b.c, &mail, &e), -1);
	hang_up(&b);
	loop_run(b.loop);
	close_bench(&b);
}

UNIT_TESTS(cmocka_unit_test(a_mail_fires_each_callback_once_and_none_inside_a_call),
	   cmocka_unit_test(a_peer_that_is_gone_does_not_kill_us),
	   cmocka_unit_test(a_421_before_the_close_is_read),
	   cmocka_unit_test(quit_before_ready_closes_with_a_reason),
	   cmocka_unit_test(quit_at_the_fence_cuts_the_mail_and_drop_too),
	   cmocka_unit_test(a_mail_that_cannot_be_sent_is_refused_and_the_connection_stays))
