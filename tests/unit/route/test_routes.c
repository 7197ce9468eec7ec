/* Routes of a table of names, asked of a real DNS server on loopback through libunbound. */
#include "tests/unit/route/dns_fixture.h"

static void show_hosts(const struct route *route, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "";
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < route->n_hosts; i++) {
		const struct route_host *h = &route->hosts[i];
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;

		memcpy(&v4, &h->addr, sizeof(v4));
		memcpy(&v6, &h->addr, sizeof(v6));
		assert_int_equal(ntohs(v4.sin_port), 2525);
		if (h->addr.ss_family == AF_INET) {
			assert_int_equal(h->addr_len, sizeof(v4));
			inet_ntop(AF_INET, &v4.sin_addr, ip, sizeof(ip));
		} else {
			assert_int_equal(h->addr_len, sizeof(v6));
			inet_ntop(AF_INET6, &v6.sin6_addr, ip, sizeof(ip));
		}
		len += (size_t)snprintf(out + len, size - len, "%s%s=%s", i ? " " : "", h->name,
					ip);
	}
}

struct row {
	const char *domain;
	enum { ROUTE, PERMANENT, TEMPORARY } kind;
	const char *text;  /* how the failure begins, or the site */
	const char *hosts; /* NULL: not looked at */
};

#define LOOKUP_FAILS TEMPORARY, "the DNS lookup failed for ", NULL

static const struct row rows[] = {
	{"mx.test", ROUTE, "a.mx.test", "a.mx.test=9.9.9.1 a.mx.test=2003::1 b.mx.test=9.9.9.2"},
	{"null.test", PERMANENT, "null.test accepts no mail", NULL},
	{"nowhere.test", PERMANENT, "nowhere.test does not exist", NULL},
	{"some.invalid", PERMANENT, "some.invalid does not exist", NULL},
	{"implicit.test", ROUTE, "implicit.test", "implicit.test=9.9.9.3 implicit.test=2003::3"},
	{"bare.test", PERMANENT, "bare.test has no mail host", NULL},
	{"half.test", LOOKUP_FAILS},
	{"halfok.test", ROUTE, "halfok.test", "halfok.test=9.9.9.3"},
	{"servfail.test", LOOKUP_FAILS},
	{"mxservfail.test", LOOKUP_FAILS},
	{"refused.test", LOOKUP_FAILS},
	{"formerr.test", LOOKUP_FAILS},
	{"timeout.test", LOOKUP_FAILS},
	{"garbage.test", LOOKUP_FAILS},
	{"loop.test", LOOKUP_FAILS},
	{"wrongid.test", LOOKUP_FAILS},
	{"wrongq.test", LOOKUP_FAILS},
	{"tcp.test", ROUTE, "a.mx.test", "a.mx.test=9.9.9.1 a.mx.test=2003::1"},
	{"notcp.test", LOOKUP_FAILS},
	{"gone.test", PERMANENT, "none of the MX hosts of gone.test exists", NULL},
	{"empty.test", TEMPORARY, "the MX hosts of ", NULL},
	{"deadmx.test", LOOKUP_FAILS},
	{"backup.test", ROUTE, "servfail.test", "b.mx.test=9.9.9.2"},
	{"slowmx.test", ROUTE, "timeout.test", "b.mx.test=9.9.9.2"},
	{"private.test", PERMANENT, "the MX hosts of private.test have only private", NULL},
	{"mixed.test", ROUTE, "p.private.test", "b.mx.test=9.9.9.2"},
	{"local.test", PERMANENT, "the MX hosts of local.test have only private", NULL},
	{"lo.test", PERMANENT, "the MX hosts of lo.test have only private", NULL},
	{"ipmx.test", PERMANENT, "the MX records of ipmx.test name no valid host", NULL},
	{"ipmx2.test", ROUTE, "b.mx.test", "b.mx.test=9.9.9.2"},
	{"under.test", ROUTE, "a_b.mx.test", "a_b.mx.test=9.9.9.4"},
	{"space.test", PERMANENT, "the MX records of space.test name", NULL},
	{"nul.test", PERMANENT, "the MX records of nul.test name", NULL},
	{"own.test", PERMANENT, "mail for own.test would come back", NULL},
	{"ownlast.test", ROUTE, "b.mx.test", "b.mx.test=9.9.9.2"},
	{"alias.test", ROUTE, "a.mx.test", "a.mx.test=9.9.9.1 a.mx.test=2003::1 b.mx.test=9.9.9.2"},
	{"dangling.test", PERMANENT, "", NULL},
	{"cnameloop.test", LOOKUP_FAILS},
	{"mxcname.test", ROUTE, "c.mx.test", "c.mx.test=9.9.9.2"},
	{"v6only.test", ROUTE, "six.mx.test", "six.mx.test=2003::6"},
	{"deep.test", ROUTE, "no0.gone2.test", "b.mx.test=9.9.9.2"},
	{"huge.test", ROUTE, "h499.huge.test", "h499.huge.test=9.9.6.1"},
	{"ttl0.test", ROUTE, "b.mx.test", "b.mx.test=9.9.9.2"},
	{"caps.test", ROUTE, "a.mx.test", "a.mx.test=9.9.9.1 a.mx.test=2003::1"},
	{"10.0.0.1", PERMANENT, "10.0.0.1 is not a domain name", NULL},
	{"", PERMANENT, " is not a domain name", NULL},
	{"a b.test", PERMANENT, "a b.test is not", NULL},
	{"a\nb.test", PERMANENT, "a?b.test is not", NULL},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static void check_row(const struct row *row, const struct answer *a)
{
	char hosts[1024];

	if (a->calls != 1)
		fail_msg("%s: called %d times", row->domain, a->calls);
	if (!a->is_route) {
		if (row->kind == ROUTE || a->failure.is_permanent != (row->kind == PERMANENT) ||
		    strncmp(a->failure.text, row->text, strlen(row->text)) != 0)
			fail_msg("%s: %s", row->domain, a->failure.text);
		return;
	}
	show_hosts(&a->route, hosts, sizeof(hosts));
	if (row->kind != ROUTE || strcmp(a->route.site, row->text) != 0)
		fail_msg("%s: site %s, hosts %s", row->domain, a->route.site, hosts);
	if (row->hosts && strcmp(hosts, row->hosts) != 0)
		fail_msg("%s: hosts %s", row->domain, hosts);
	assert_false(a->route.is_relay || a->route.verify || a->route.user || a->route.ca_file);
	assert_int_equal(a->route.tls, ROUTE_TLS_OPPORTUNISTIC);
}

static void each_name_gets_its_route_or_its_reason(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer *answers = calloc(ROWS, sizeof(*answers));
	const char *domains[ROWS];
	int took_ms;

	for (size_t i = 0; i < ROWS; i++)
		domains[i] = rows[i].domain;
	took_ms = ask_all(f, r, domains, answers, ROWS);
	for (size_t i = 0; i < ROWS; i++)
		check_row(&rows[i], &answers[i]);
	assert_in_range(took_ms, 1, 31000);
	/* Nothing that failed or was forbidden was tried another way. */
	assert_int_equal(count_queries(f, "udp A null.test"), 0);
	assert_int_equal(count_queries(f, "udp A mxservfail.test"), 0);
	assert_int_equal(count_queries(f, "udp A gone.test"), 0);
	assert_int_equal(count_queries(f, "udp A 10.0.0.1"), 0);
	free(answers);
	router_free(r);
}

static void many_hosts_give_five_addresses_of_at_least_two_hosts(void **state)
{
	static const char *const domains[] = {"many.test", "wide.test", "lone.test"};
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer answers[3];
	char seen[20] = {0};
	int n_seen = 0;

	ask_all(f, r, domains, answers, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(answers[i].is_route);
		assert_in_range(answers[i].route.n_hosts, 4, ROUTE_HOSTS_MAX);
	}
	assert_string_equal(answers[1].route.hosts[0].name, "w.wide.test");
	assert_string_equal(answers[1].route.hosts[2].name, "w.wide.test");
	assert_string_equal(answers[1].route.hosts[3].name, "b.mx.test");
	assert_int_equal(answers[2].route.n_hosts, ROUTE_HOSTS_MAX);
	router_free(r);
	for (int i = 0; i < 30; i++) {
		r = make_router(f);
		ask_one(f, r, "many.test", &answers[0]);
		assert_string_not_equal(answers[0].route.hosts[0].name,
					answers[0].route.hosts[4].name);
		seen[atoi(answers[0].route.hosts[0].name + 1)] = 1;
		router_free(r);
	}
	for (int i = 0; i < 20; i++)
		n_seen += seen[i];
	assert_in_range(n_seen, 8, 20);
}

static void equal_hosts_change_places_from_lookup_to_lookup(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer a;
	char first[256];
	int n_same = 0;

	ask_one(f, r, "many.test", &a);
	memcpy(first, a.route.hosts[0].name, sizeof(first));
	for (int i = 0; i < 300; i++) {
		ask_one(f, r, "many.test", &a);
		n_same += strcmp(first, a.route.hosts[0].name) == 0;
		assert_int_equal(a.route.n_hosts, ROUTE_HOSTS_MAX);
	}
	assert_in_range(n_same, 50, 150);
	for (int i = 0; i < 50; i++) {
		ask_one(f, r, "mx.test", &a);
		assert_string_equal(a.route.hosts[0].name, "a.mx.test");
		assert_int_equal(a.route.hosts[0].addr.ss_family, AF_INET);
	}
	router_free(r);
}

static void private_addresses_are_used_when_allowed(void **state)
{
	struct fixture *f = *state;
	struct router *r;
	struct answer a;

	f->config.mx_allow_private = true;
	f->config.tls_policy = TLS_REQUIRED;
	r = make_router(f);
	ask_one(f, r, "local.test", &a);
	assert_true(a.is_route);
	assert_int_equal(a.route.tls, ROUTE_TLS_REQUIRED);
	assert_false(a.route.verify);
	ask_one(f, r, "own.test", &a);
	assert_false(a.is_route);
	router_free(r);
	f->config.mx_allow_private = false;
	f->config.tls_policy = TLS_OPPORTUNISTIC;
}

UNIT_TESTS_IN(set_up, tear_down, cmocka_unit_test(each_name_gets_its_route_or_its_reason),
	      cmocka_unit_test(many_hosts_give_five_addresses_of_at_least_two_hosts),
	      cmocka_unit_test(equal_hosts_change_places_from_lookup_to_lookup),
	      cmocka_unit_test(private_addresses_are_used_when_allowed))
