/* The HTTP server under bodies, slow peers, hang-ups and pipelines. */
#include "tests/unit/api/http/client.h"

static void head_is_get_without_the_body(void **state)
{
	static const char request[] = "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n" GET("/healthz");
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	say(fd, request, sizeof(request) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), false), 200);
	assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
	/* The very next byte is the next answer's. */
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	close(fd);
}

static void after_100_continue_the_body_is_taken(void **state)
{
	static const char head[] =
		POST("/v1/echo", "Expect: 100-continue\r\nContent-Length: 2\r\n");
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	say(fd, head, sizeof(head) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), false), 100);
	say(fd, "{}", 2);
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 202);
	close(fd);
}

static void a_body_of_exactly_the_limit_is_taken_in_any_pieces(void **state)
{
	static const char head[] = POST("/v1/echo", "Content-Length: 200000\r\n");
	static char body[BODY_LIMIT];
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	memset(body, ' ', sizeof(body));
	for (size_t i = 0; i < sizeof(head) - 1; i++)
		say(fd, head + i, 1);
	for (size_t i = 0; i < sizeof(body); i += 20000) {
		say(fd, body + i, 20000);
		usleep(1000);
	}
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 202);
	assert_non_null(strstr(answer, "\"len\":200000"));
	assert_false(closes(fd, 20));
	close(fd);
}

static void a_chunked_body_is_cut_at_the_limit(void **state)
{
	static const char head[] = POST("/v1/echo", "Transfer-Encoding: chunked\r\n");
	static char chunk[10000];
	char answer[4000];
	long long before = counted("handled");
	int fd = dial(&shared);

	(void)state;
	memset(chunk, ' ', sizeof(chunk));
	say(fd, head, sizeof(head) - 1);
	for (int i = 0; i < 100; i++) {
		say(fd, "2710\r\n", 6);
		say(fd, chunk, sizeof(chunk));
		say(fd, "\r\n", 2);
	}
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 413);
	assert_non_null(strstr(answer, "/problems/too-large"));
	assert_true(closes(fd, 2000));
	close(fd);
	assert_int_equal(counted("handled"), before);
}

static void bodies_beyond_the_limit_do_not_pile_up_in_memory(void **state)
{
	static const char *const heads[] = {
		POST("/v1/echo", "Transfer-Encoding: chunked\r\n"),
		POST("/v1/echo", "Content-Length: 5000008\r\n"),
	};
	static char megabyte[8 + 1000000];
	long long before = counted("rss_kb");

	(void)state;
	memset(megabyte, ' ', sizeof(megabyte));
	memcpy(megabyte, "F4240\r\n", 7);
	for (size_t n = 0; n < 40; n++) {
		int fd = dial(&shared);

		say(fd, heads[n % 2], strlen(heads[n % 2]));
		for (int i = 0; i < 5; i++)
			say(fd, megabyte, sizeof(megabyte));
		close(fd);
	}
	assert_in_range(counted("rss_kb") - before, 0, 60000); /* of 200 MB */
}

static void the_memory_of_slow_readers_is_bounded(void **state)
{
	static const char request[] = GET("/much");
	char answer[4000];
	int slow = dial_slow_reader(), other = dial(&shared);

	(void)state;
	say(slow, request, sizeof(request) - 1);
	assert_int_equal(hear(slow, answer, sizeof(answer), false), 200);
	say(other, request, sizeof(request) - 1);
	assert_int_equal(hear(other, answer, sizeof(answer), true), 503);
	assert_non_null(strstr(answer, "/problems/unavailable"));
	say(other, GET("/healthz"), strlen(GET("/healthz")));
	assert_int_equal(hear(other, answer, sizeof(answer), true), 200);
	close(slow);
	/* Until the server has noticed. */
	for (int i = 0, status = 503; status == 503; i++) {
		assert_in_range(i, 0, 100);
		usleep(20000);
		say(other, request, sizeof(request) - 1);
		status = hear(other, answer, sizeof(answer), false);
	}
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	close(other);
}

static void a_client_that_is_refused_early_can_read_the_reason(void **state)
{
	static const char head[] =
		"POST /v1/echo HTTP/1.1\r\n" HOST JSON "Authorization: Bearer x\r\n"
		"Content-Length: 5000000\r\n\r\n";
	static char body[100000];
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	say(fd, head, sizeof(head) - 1);
	/* Writes before it reads, as simple clients do; a reset would stop it. */
	for (int i = 0; i < 4; i++) {
		usleep(50000);
		assert_int_equal(send(fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
	}
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 401);
	close(fd);
}

static void slow_clients_are_closed_and_others_are_not_affected(void **state)
{
	static const char head[] = POST("/v1/echo", "Content-Length: 1000\r\n");
	int fresh = dial(&shared), slow_head = dial(&shared), slow_body = dial(&shared);
	int64_t begin = clock_mono_ms();
	char answer[4000];

	(void)state;
	say(slow_head, "GET /healthz HTTP/1.1\r\nX: ", 26);
	say(slow_body, head, sizeof(head) - 1);
	while (clock_mono_ms() - begin < 1800) {
		int64_t one = clock_mono_ms();
		int fd = dial(&shared);

		say(slow_head, "a", 1);
		say(slow_body, "a", 1);
		say(fd, GET("/healthz"), sizeof(GET("/healthz")) - 1);
		assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
		assert_true(clock_mono_ms() - one < 3000);
		close(fd);
		usleep(40000);
	}
	assert_int_equal(hear(slow_head, answer, sizeof(answer), true), 408);
	assert_non_null(strstr(answer, "/problems/timeout"));
	assert_int_equal(hear(slow_body, answer, sizeof(answer), true), 408);
	assert_true(closes(fresh, 1000));
	close(fresh);
	close(slow_head);
	close(slow_body);
}

static void a_client_may_hang_up_at_any_time(void **state)
{
	static const char *const requests[] = {
		POST("/v1/much-later", "Content-Length: 2\r\n") "{}",
		POST("/v1/later", "Content-Length: 2\r\n") "{}",
		POST("/v1/echo", "Content-Length: 2\r\n") "{",
		POST("/v1/echo", "Transfer-Encoding: chunked\r\n") "1\r\n{",
		"GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
		"Authorization: Bearer pn_live_slow\r\n\r\n",
		"GET /heal",
		"GET /healthz HTTP/1.1\r\nHo",
	};
	struct linger hard = {.l_onoff = 1};
	long long before = counted("handled");

	(void)state;
	for (int round = 0; round < 6; round++) {
		for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
			int fd = dial(&shared);

			say(fd, requests[i], strlen(requests[i]));
			if (round % 3)
				usleep((useconds_t)(round % 3) * 10000);
			if (round & 1)
				setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			close(fd);
		}
	}
	usleep(1600000);
	/* Whole requests may have been handled, halves never. */
	assert_true(counted("handled") - before <= 12);
}

static void pipelined_requests_get_one_response_each_in_order(void **state)
{
	enum { N = 300 };
	static char request[N * 200], answer[4000];
	size_t len = 0;
	int fd = dial(&shared);

	(void)state;
	for (int i = 0; i < N; i++)
		len += (size_t)snprintf(
			request + len, sizeof(request) - len,
			"GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav?q=%d HTTP/1.1\r\n" HOST KEY
			"\r\n",
			i);
	say(fd, request, len);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < N; i++) {
		char want[32];

		snprintf(want, sizeof(want), "\"q\":\"%d\"", i);
		assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
		assert_non_null(strstr(answer, want));
	}
	assert_true(closes(fd, 1000));
	close(fd);
}

static void a_late_response_is_sent_at_once(void **state)
{
	static const char request[] = POST("/v1/soon", "Content-Length: 2\r\n") "{}";
	int64_t begin = clock_mono_ms();
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	for (int i = 0; i < 20; i++) {
		say(fd, request, sizeof(request) - 1);
		assert_int_equal(hear(fd, answer, sizeof(answer), true), 202);
	}
	/* Far less than 20 ticks. */
	assert_true(clock_mono_ms() - begin < 2000);
	close(fd);
}

static void a_suspended_request_delays_no_other(void **state)
{
	static const char slow[] = POST("/v1/held", "Content-Length: 2\r\n") "{}";
	int waiting = dial(&shared), fds[20];
	char answer[4000];

	(void)state;
	say(waiting, slow, sizeof(slow) - 1);
	for (int i = 0; i < 20; i++)
		fds[i] = dial(&shared);
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < 20; i++)
			say(fds[i], GET("/healthz"), sizeof(GET("/healthz")) - 1);
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < 20; i++)
			assert_int_equal(hear(fds[i], answer, sizeof(answer), true), 200);
	assert_false(readable(waiting, 0));
	say(fds[0], GET("/release"), sizeof(GET("/release")) - 1);
	assert_int_equal(hear(waiting, answer, sizeof(answer), true), 202);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	close(waiting);
}

static void the_log_has_one_line_a_request_and_no_key(void **state)
{
	static const char request[] =
		"GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
		"X-Request-Id: find-me\r\nAuthorization: Bearer pn_live_good\r\nConnection: "
		"close\r\n\r\n";
	char answer[4000];
	const char *log, *line;
	int fd = dial(&shared);

	(void)state;
	say(fd, request, sizeof(request) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
	assert_true(closes(fd, 1000));
	close(fd);
	usleep(50000);
	log = child_log(&shared);
	line = strstr(log, "\"request\":\"find-me\"");
	assert_non_null(line);
	assert_non_null(strstr(line, "\"route\":\"/v1/things/{id}\",\"status\":200"));
	assert_non_null(strstr(line, "\"project\":\"prj_1\",\"key\":\"key_1\""));
	assert_null(strstr(line + 20, "find-me"));
	assert_null(strstr(log, "pn_live"));
	assert_non_null(strstr(log, "http.header_refused"));
	assert_true(counted("4xx") > 0);
}

UNIT_TESTS_IN(start_shared, stop_shared, cmocka_unit_test(head_is_get_without_the_body),
	      cmocka_unit_test(after_100_continue_the_body_is_taken),
	      cmocka_unit_test(a_body_of_exactly_the_limit_is_taken_in_any_pieces),
	      cmocka_unit_test(a_chunked_body_is_cut_at_the_limit),
	      cmocka_unit_test(bodies_beyond_the_limit_do_not_pile_up_in_memory),
	      cmocka_unit_test(the_memory_of_slow_readers_is_bounded),
	      cmocka_unit_test(a_client_that_is_refused_early_can_read_the_reason),
	      cmocka_unit_test(slow_clients_are_closed_and_others_are_not_affected),
	      cmocka_unit_test(a_client_may_hang_up_at_any_time),
	      cmocka_unit_test(pipelined_requests_get_one_response_each_in_order),
	      cmocka_unit_test(a_late_response_is_sent_at_once),
	      cmocka_unit_test(a_suspended_request_delays_no_other),
	      cmocka_unit_test(the_log_has_one_line_a_request_and_no_key))
