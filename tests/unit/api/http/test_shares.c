/* What the requests of one tenant cost those of another. */
#include "tests/unit/api/http/client.h"

#define LISTS 12
#define GET_AS(key, path) "GET " path " HTTP/1.1\r\n" HOST "Authorization: Bearer " key "\r\n\r\n"
#define MINE "pn_live_good"
#define THEIRS "pn_live_other"

static int ask(const char *request)
{
	int fd = dial(&shared);

	say(fd, request, strlen(request));
	return fd;
}

/* The number of its handler, from 1. The connection stays open. */
static int read_number(int fd)
{
	char answer[4000];
	const char *number;

	assert_int_equal(hear(fd, answer, sizeof(answer), true), 202);
	number = strstr(answer, "X-Number: ");
	assert_non_null(number);
	return atoi(number + 10);
}

static int hear_number(int fd)
{
	int number = read_number(fd);

	close(fd);
	return number;
}

static void tenants_take_turns_at_lists(void **state)
{
	int mine[LISTS], theirs, last = 0;

	(void)state;
	for (int i = 0; i < LISTS; i++)
		mine[i] = ask(GET_AS(MINE, "/v1/list"));
	theirs = ask(GET_AS(THEIRS, "/v1/list"));
	assert_in_range(hear_number(theirs), 1, LISTS / 2);
	for (int i = 0; i < LISTS; i++) {
		int number = hear_number(mine[i]);

		last = number > last ? number : last;
	}
	assert_int_equal(last, LISTS + 1);
}

static void a_client_that_leaves_gives_up_its_turn(void **state)
{
	char answer[4000];
	int fds[LISTS], last;

	(void)state;
	for (int i = 0; i < LISTS; i++)
		fds[i] = ask(GET_AS(MINE, "/v1/list"));
	for (int i = 0; i < LISTS; i++)
		close(fds[i]);
	last = ask(GET_AS(MINE, "/v1/list"));
	assert_int_equal(hear(last, answer, sizeof(answer), true), 202);
	close(last);
}

static void small_requests_do_not_wait_for_lists(void **state)
{
	int lists[LISTS], small;
	char answer[4000];

	(void)state;
	for (int i = 0; i < LISTS; i++)
		lists[i] = ask(GET_AS(MINE, "/v1/list"));
	small = ask(GET_AS(MINE, "/v1/names/a"));
	assert_int_equal(hear(small, answer, sizeof(answer), true), 200);
	assert_false(readable(lists[LISTS - 1], 0));
	for (int i = 0; i < LISTS; i++)
		close(lists[i]);
	close(small);
}

/* Many large bodies wait for a list, and then end as soon as their turn comes. */
static void large_bodies_that_end_at_once_do_not_fill_a_loop_turn(void **state)
{
	static char request[BODY_LIMIT];
	enum { N = 30, BODY = 190000 };
	const char *ask_number = GET_AS(THEIRS, "/v1/number");
	int large[N], small = dial(&shared), list, before;
	char answer[4000];
	size_t head = (size_t)snprintf(request, sizeof(request),
				       POST("/v1/work", "Content-Length: %d\r\n"), BODY);

	(void)state;
	memset(request + head, ' ', BODY);
	list = ask(GET_AS(MINE, "/v1/list"));
	for (int i = 0; i < N; i++) {
		large[i] = dial(&shared);
		say(large[i], request, head + BODY);
	}
	say(small, ask_number, strlen(ask_number));
	before = read_number(small); /* while they wait */
	assert_int_equal(hear(large[0], answer, sizeof(answer), true), 202);
	say(small, ask_number, strlen(ask_number));
	assert_in_range(read_number(small) - before, 1, N);
	for (int i = 1; i < N; i++)
		assert_int_equal(hear(large[i], answer, sizeof(answer), true), 202);
	for (int i = 0; i < N; i++)
		close(large[i]);
	close(list);
	close(small);
}

static void the_tenant_that_holds_most_gives(void **state)
{
	int slow = dial_slow_reader(), second, other;
	char answer[4000];

	(void)state;
	say(slow, GET_AS(MINE, "/v1/much"), strlen(GET_AS(MINE, "/v1/much")));
	assert_int_equal(hear(slow, answer, sizeof(answer), false), 200);
	second = ask(GET_AS(MINE, "/v1/much"));
	assert_int_equal(hear(second, answer, sizeof(answer), true), 503);
	other = ask(GET_AS(THEIRS, "/v1/much"));
	assert_int_equal(hear(other, answer, sizeof(answer), false), 200);
	assert_true(closes(slow, 3000));
	close(slow);
	close(second);
	close(other);
}

UNIT_TESTS_IN(start_shared, stop_shared, cmocka_unit_test(tenants_take_turns_at_lists),
	      cmocka_unit_test(a_client_that_leaves_gives_up_its_turn),
	      cmocka_unit_test(small_requests_do_not_wait_for_lists),
	      cmocka_unit_test(large_bodies_that_end_at_once_do_not_fill_a_loop_turn),
	      cmocka_unit_test(the_tenant_that_holds_most_gives))
