/* Which MX records are tried, in what order, and what their site is called. */
#include "server/route/mx.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define RECORDS 5

struct keep_case {
	const char *what;
	struct dns_mx list[RECORDS];
	size_t n;
	enum reason reason;
	const char *site; /* when there is no reason */
	size_t left;
};

static const struct keep_case keep_cases[] = {
	{"one host", {{10, "mx.example.net"}}, 1, REASON_NONE, "mx.example.net", 1},
	{"two of best preference, one worse",
	 {{10, "a.example.net"}, {10, "b.example.net"}, {20, "c.example.net"}},
	 3,
	 REASON_NONE,
	 "a.example.net,b.example.net",
	 3},
	{"null MX", {{0, ""}}, 1, REASON_NULL_MX, NULL, 0},
	{"null MX of another preference", {{10, ""}}, 1, REASON_NULL_MX, NULL, 0},
	{"a root among hosts is dropped", {{0, ""}, {10, "a.b"}}, 2, REASON_NONE, "a.b", 1},
	{"an address is no host", {{10, "10.0.0.1"}}, 1, REASON_BAD_MX_NAMES, NULL, 0},
	{"an underscore is kept", {{10, "a_b.c"}, {20, "d.e"}}, 2, REASON_NONE, "a_b.c", 2},
	{"a blank is no host name", {{10, "a b.c"}, {20, "d.e"}}, 2, REASON_NONE, "d.e", 1},
	{"an unprintable name is no host", {{10, "\\"}}, 1, REASON_BAD_MX_NAMES, NULL, 0},
	{"a repeat counts once", {{10, "a.b"}, {10, "a.b"}, {20, "a.b"}}, 3, REASON_NONE, "a.b", 1},
	{"our name is best", {{10, "own.example.org"}, {20, "a.b"}}, 2, REASON_LOOP, NULL, 0},
	{"our name is among the best",
	 {{10, "a.b"}, {10, "own.example.org"}},
	 2,
	 REASON_LOOP,
	 NULL,
	 0},
	{"our name is second: it and its equals go",
	 {{5, "a.b"}, {10, "c.d"}, {10, "own.example.org"}, {20, "e.f"}},
	 4,
	 REASON_NONE,
	 "a.b",
	 1},
};

static void hosts_are_kept_and_others_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keep_cases) / sizeof(*keep_cases); i++) {
		const struct keep_case *c = &keep_cases[i];
		struct dns_mx list[RECORDS];
		char site[ROUTE_SITE_MAX];
		size_t n = c->n;

		memcpy(list, c->list, sizeof(list));
		if (mx_keep_hosts(list, &n, "Own.Example.ORG") != c->reason)
			fail_msg("%s: another reason", c->what);
		if (c->reason != REASON_NONE)
			continue;
		mx_site(list, n, site);
		if (strcmp(site, c->site) != 0 || n != c->left)
			fail_msg("%s: %s, %zu left", c->what, site, n);
	}
}

static void long_sites_are_a_name_and_a_hash(void **state)
{
	struct dns_mx list[DNS_RECORDS_MAX];
	char first[ROUTE_SITE_MAX], second[ROUTE_SITE_MAX];

	(void)state;
	for (int i = 0; i < DNS_RECORDS_MAX; i++) {
		list[i].preference = 10;
		snprintf(list[i].name, sizeof(list[i].name), "%063d.%063d.%063d.mx%02d.example", 1,
			 2, 3, i);
	}
	mx_site(list, DNS_RECORDS_MAX, first);
	mx_site(list, DNS_RECORDS_MAX - 1, second);
	assert_string_not_equal(first, second);
	assert_true(strlen(first) < ROUTE_SITE_MAX);
	assert_int_equal(strspn(first, "abcdefghijklmnopqrstuvwxyz0123456789.-,+"), strlen(first));
	assert_non_null(strstr(first, ".mx00.example+"));
	/* The first is short, the second too long to be shown: nothing of a half-written list is
	 * left. */
	snprintf(list[0].name, sizeof(list[0].name), "a.example");
	mx_site(list, 2, first);
	assert_int_equal(strncmp(first, "a.example+", 10), 0);
	assert_int_equal(strlen(first), 10 + 16);
}

static void equals_change_places_and_preferences_do_not(void **state)
{
	static const struct dns_mx sorted[] = {
		{1, "a"}, {10, "b"}, {10, "c"}, {10, "d"}, {20, "e"}};
	uint64_t random = 42;
	int first_of_equals[256] = {0};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct dns_mx list[5];

		memcpy(list, sorted, sizeof(list));
		mx_shuffle(list, 5, &random);
		assert_string_equal(list[0].name, "a");
		assert_string_equal(list[4].name, "e");
		first_of_equals[(unsigned char)list[1].name[0]]++;
	}
	for (const char *c = "bcd"; *c; c++)
		assert_in_range(first_of_equals[(unsigned char)*c], 850, 1150);
}

static const struct {
	const char *name;
	bool is_host;
} names[] = {
	{"mx.example.net", true},
	{"MX1-a.example.net", true},
	{"localhost", true},
	{"1mx.example.net", true},
	{"xn--bcher-kva.example", true},
	{"123.a1", true},
	{"", false},
	{".", false},
	{"a.", false},
	{".a", false},
	{"a..b", false},
	{"-a.b", true},
	{"a-.b", true},
	{"a.b-", true},
	{"a.-b", true},
	{"a_b.c", true},
	{"a b.c", false},
	{"a\\032b.c", false},
	{"10.0.0.1", false},
	{"1", false},
	{"a.123", false},
	{"a:b", false},
	{"m\xc3\xbc.example", false},
	{"a/b.c", false},
};

static void host_names_are_distinguished_from_other_text(void **state)
{
	char label[80];
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (mx_is_host_name(names[i].name) != names[i].is_host)
			fail_msg("\"%s\"", names[i].name);
	}
	snprintf(label, sizeof(label), "%063d.a", 1);
	assert_true(mx_is_host_name(label));
	snprintf(label, sizeof(label), "%064d.a", 1);
	assert_false(mx_is_host_name(label));
	snprintf(longest, sizeof(longest), "%063d.%063d.%063d.%060da", 1, 1, 1, 1);
	assert_int_equal(strlen(longest), 253);
	assert_true(mx_is_host_name(longest));
	snprintf(longest, sizeof(longest), "%063d.%063d.%063d.%061da", 1, 1, 1, 1);
	assert_false(mx_is_host_name(longest));
}

UNIT_TESTS(cmocka_unit_test(hosts_are_kept_and_others_dropped),
	   cmocka_unit_test(long_sites_are_a_name_and_a_hash),
	   cmocka_unit_test(equals_change_places_and_preferences_do_not),
	   cmocka_unit_test(host_names_are_distinguished_from_other_text))
