/* The HTTP server at its limits, and how it ends. */
#include "tests/unit/api/http/client.h"

static void above_the_limit_the_connections_that_waited_longest_end(void **state)
{
	int fds[60];
	char answer[4000];

	(void)state;
	for (int i = 0; i < 60; i++) {
		fds[i] = dial(&shared);
		if (i % 2)
			say(fds[i], GET("/healthz"), 20);
	}
	for (int i = 0; i < 10; i++)
		assert_true(closes(fds[i], 2000));
	for (int i = 10; i < 60; i++) {
		say(fds[i], GET("/healthz") + (i % 2 ? 20 : 0),
		    sizeof(GET("/healthz")) - 1 - (i % 2 ? 20 : 0));
		assert_int_equal(hear(fds[i], answer, sizeof(answer), true), 200);
	}
	for (int i = 0; i < 60; i++)
		close(fds[i]);
	for (int i = 0; i < 50 && !strstr(child_log(&shared), "http.crowded"); i++)
		usleep(100000);
	assert_non_null(strstr(child_log(&shared), "http.crowded"));
}

static void the_report_of_a_crowd_names_its_address_after_it_is_gone(void **state)
{
	size_t before = strlen(child_log(&shared));
	const char *line = NULL;
	int fds[60];

	(void)state;
	for (int i = 0; i < 60; i++)
		fds[i] = dial(&shared);
	assert_true(closes(fds[9], 2000)); /* the last of those that are too many */
	for (int i = 0; i < 60; i++)
		close(fds[i]);
	for (int i = 0; i < 50 && !line; i++) {
		usleep(100000);
		line = strstr(child_log(&shared) + before, "http.crowded");
	}
	assert_non_null(line);
	assert_non_null(strstr(line, "\"most_from\":\"127.0.0.1\""));
}

static void without_a_waiting_connection_a_new_one_gets_503(void **state)
{
	static const char slow[] = POST("/v1/much-later", "Content-Length: 2\r\n") "{}";
	int fds[50], late;
	char answer[4000];

	(void)state;
	for (int i = 0; i < 50; i++) {
		fds[i] = dial(&shared);
		say(fds[i], slow, sizeof(slow) - 1);
	}
	usleep(200000);
	late = dial(&shared);
	assert_int_equal(hear(late, answer, sizeof(answer), true), 503);
	assert_non_null(strstr(answer, "Too many connections"));
	for (int i = 0; i < 50; i++) {
		assert_int_equal(hear(fds[i], answer, sizeof(answer), true), 202);
		close(fds[i]);
	}
	close(late);
	usleep(100000);
	counted("handled");
}

static void the_server_waits_and_recovers_when_out_of_descriptors(void **state)
{
	static const char request[] = "GET /counts HTTP/1.1\r\n" HOST "\r\n";
	struct child c = {0};
	char answer[4000];
	int fds[100], first;
	long long cpu;

	(void)state;
	start_child(&c, 40);
	first = dial(&c);
	say(first, request, sizeof(request) - 1);
	assert_int_equal(hear(first, answer, sizeof(answer), true), 200);
	cpu = atoll(strstr(answer, "\"cpu_ms\":") + 9);
	for (int i = 0; i < 100; i++)
		fds[i] = dial(&c);
	sleep(1);
	say(first, request, sizeof(request) - 1);
	assert_int_equal(hear(first, answer, sizeof(answer), true), 200);
	assert_true(atoll(strstr(answer, "\"cpu_ms\":") + 9) - cpu < 300);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	usleep(300000);
	fds[0] = dial(&c);
	say(fds[0], request, sizeof(request) - 1);
	assert_int_equal(hear(fds[0], answer, sizeof(answer), true), 200);
	assert_non_null(strstr(child_log(&c), "http.accept_failed"));
	close(fds[0]);
	close(first);
	stop_child(&c);
}

static void a_drain_finishes_open_requests_and_closes_the_other_connections(void **state)
{
	static const char slow[] = POST("/v1/much-later", "Content-Length: 2\r\n") "{}";
	struct child c = {0};
	char answer[4000];
	int idle, busy, status;

	(void)state;
	start_child(&c, 0);
	idle = dial(&c);
	say(idle, GET("/healthz"), sizeof(GET("/healthz")) - 1);
	assert_int_equal(hear(idle, answer, sizeof(answer), true), 200);
	busy = dial(&c);
	say(busy, slow, sizeof(slow) - 1);
	usleep(50000);
	kill(c.pid, SIGTERM);
	assert_true(closes(idle, 1000));
	assert_int_equal(hear(busy, answer, sizeof(answer), true), 202);
	assert_non_null(strstr(answer, "Connection: close\r\n"));
	assert_true(closes(busy, 1000));
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_int_equal(status, 0);
	close(idle);
	close(busy);
	close(c.log);
}

static void a_second_sigterm_stops_at_once_with_requests_open(void **state)
{
	static const char *const requests[] = {
		POST("/v1/much-later", "Content-Length: 2\r\n") "{}",
		"GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
		"Authorization: Bearer pn_live_slow\r\n\r\n",
		POST("/v1/echo", "Content-Length: 2\r\n") "{",
	};
	struct child c = {0};
	int fds[3], status;

	(void)state;
	start_child(&c, 0);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial(&c);
		say(fds[i], requests[i], strlen(requests[i]));
		/* The first is with its handler then, the second waits for its key. */
		usleep(i == 0 ? 200000 : 10000);
	}
	kill(c.pid, SIGTERM);
	usleep(10000);
	kill(c.pid, SIGTERM);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	show_end_of_log(&c, status);
	assert_int_equal(status, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(c.log);
}

UNIT_TESTS_IN(start_shared, stop_shared,
	      cmocka_unit_test(above_the_limit_the_connections_that_waited_longest_end),
	      cmocka_unit_test(the_report_of_a_crowd_names_its_address_after_it_is_gone),
	      cmocka_unit_test(without_a_waiting_connection_a_new_one_gets_503),
	      cmocka_unit_test(the_server_waits_and_recovers_when_out_of_descriptors),
	      cmocka_unit_test(a_drain_finishes_open_requests_and_closes_the_other_connections),
	      cmocka_unit_test(a_second_sigterm_stops_at_once_with_requests_open))
