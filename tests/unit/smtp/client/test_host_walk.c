/* Which host of a route is tried next. */
#include <stdio.h>

#include "smtp/client/host_walk.h"
#include "tests/unit/unit.h"

static struct host_walk walk_of(size_t n_hosts)
{
	struct host_walk w = {.route = {.n_hosts = n_hosts, .tls = ROUTE_TLS_OPPORTUNISTIC}};

	for (size_t i = 0; i < n_hosts; i++)
		snprintf(w.route.hosts[i].name, sizeof(w.route.hosts[i].name), "mx%zu", i);
	return w;
}

/* s: no connection can be opened; r: connection refused; g: the greeting refused us; t: the TLS
 * handshake failed; l: a loop. */
static struct connection_result fail_host(struct host_walk *w, char letter)
{
	struct connection_facts facts = {.connect_ms = letter == 'r' ? -1 : 5,
					 .has_tls_failed = letter == 't'};
	struct connection_result why = {
		.outcome = letter == 'l' ? OUTCOME_BOUNCED : OUTCOME_DEFERRED, .text = "why"};

	return host_walk_fail(w, &facts, &why);
}

static void walk_on(struct host_walk *w, char letter)
{
	if (letter == 's')
		host_walk_skip(w);
	else
		fail_host(w, letter);
}

static void hosts_are_tried_in_order_until_two_sessions_were_refused(void **state)
{
	static const struct {
		const char *failures, *next; /* the host after them; NULL = none is left */
		bool is_clear;
	} rows[] = {
		{"", "mx0", false},    {"r", "mx1", false},   {"rrr", "mx3", false},
		{"rrrr", NULL, false}, {"g", "mx1", false},   {"gg", NULL, false},
		{"rgr", "mx3", false}, {"rgrg", NULL, false}, {"t", "mx0", true},
		{"tt", "mx1", false},  {"tg", "mx1", false},  {"ttr", "mx2", false},
		{"tgt", "mx1", true},  {"l", NULL, false},    {"rl", NULL, false},
		{"s", "mx1", false},   {"ts", "mx1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_walk w = walk_of(4);
		const struct route_host *host;

		for (const char *p = rows[i].failures; *p; p++)
			walk_on(&w, *p);
		host = host_walk_host(&w);
		if (!host != !rows[i].next)
			fail_msg("after %s: %s", rows[i].failures, host ? host->name : "none");
		if (host)
			assert_string_equal(host->name, rows[i].next);
		assert_int_equal(w.is_clear, rows[i].is_clear);
	}
}

static void without_opportunistic_tls_a_failed_handshake_ends_the_host(void **state)
{
	struct host_walk w = walk_of(2);

	(void)state;
	w.route.tls = ROUTE_TLS_REQUIRED;
	fail_host(&w, 't');
	assert_string_equal(host_walk_host(&w)->name, "mx1");
	assert_false(w.is_clear);
}

static void a_loop_after_better_hosts_defers(void **state)
{
	struct host_walk first = walk_of(3), second = walk_of(3);

	(void)state;
	assert_int_equal(fail_host(&first, 'l').outcome, OUTCOME_BOUNCED);
	fail_host(&second, 'r');
	assert_int_equal(fail_host(&second, 'l').outcome, OUTCOME_DEFERRED);
	assert_null(host_walk_host(&second));
}

UNIT_TESTS(cmocka_unit_test(hosts_are_tried_in_order_until_two_sessions_were_refused),
	   cmocka_unit_test(without_opportunistic_tls_a_failed_handshake_ends_the_host),
	   cmocka_unit_test(a_loop_after_better_hosts_defers))
