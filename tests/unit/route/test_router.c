/* The router: lookups that are shared, limits, the relay, a dead resolver, bad settings. */
#include "tests/unit/route/dns_fixture.h"

#include "server/route/dns.h"
#include "server/route/lookup.h"

static void concurrent_lookups_of_one_domain_are_one_query(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	const char *domains[200];
	struct answer *answers = calloc(200, sizeof(*answers));
	struct answer again;

	for (size_t i = 0; i < 200; i++)
		domains[i] = "merge.test";
	ask_all(f, r, domains, answers, 200);
	for (size_t i = 0; i < 200; i++)
		assert_true(answers[i].calls == 1 && answers[i].is_route);
	ask_one(f, r, "merge.test", &again);
	assert_true(again.is_route);
	assert_int_equal(count_queries(f, "udp MX merge.test"), 1);
	free(answers);
	router_free(r);
}

static void ttl_0_is_kept_for_a_batch(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer a;
	int before = count_queries(f, "udp MX ttl0.test");

	for (int i = 0; i < 10; i++)
		ask_one(f, r, "ttl0.test", &a);
	assert_int_equal(count_queries(f, "udp MX ttl0.test"), before + 1);
	router_free(r);
}

static void more_than_a_thousand_open_questions_are_put_off(void **state)
{
	enum { N = 1010 };
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer *answers = calloc(N, sizeof(*answers));
	char(*names)[32] = calloc(N, sizeof(*names)), query[48];
	const char *domains[N];
	int n_busy = 0, n_routes = 0;

	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "d%zu.many.test", i);
		domains[i] = names[i];
	}
	ask_all(f, r, domains, answers, N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(answers[i].calls, 1);
		n_routes += answers[i].is_route;
		if (answers[i].is_route)
			continue;
		assert_false(answers[i].failure.is_permanent);
		/* On a busy machine some of the thousand may find no answer. */
		if (!strstr(answers[i].failure.text, "too many"))
			continue;
		n_busy++;
		assert_in_range(i, 1000, N - 1);
		snprintf(query, sizeof(query), "udp MX %s", domains[i]);
		assert_int_equal(count_queries(f, query), 0);
	}
	assert_int_equal(n_busy, 10);
	assert_true(n_routes > 0);
	ask_one(f, r, "d1009.many.test", &answers[0]);
	assert_true(answers[0].is_route || !strstr(answers[0].failure.text, "too many"));
	free(names);
	free(answers);
	router_free(r);
}

static void open_questions_are_dropped_with_the_router(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	size_t n_open = 100;
	struct answer a = {.loop = f->loop, .n_open = &n_open};

	router_find(r, "merge.test", on_route, &a);
	router_find(r, "merge.test", on_route, &a);
	router_find(r, "timeout.test", on_route, &a);
	router_free(r);
	router_free(NULL);
	assert_int_equal(a.calls, 0);
}

static void a_dead_resolver_defers_and_its_return_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct router *r = make_router(f);
	struct answer a;
	int64_t start_ms;
	int took_ms;

	stop_server(f);
	took_ms = ask_one(f, r, "mx.test", &a);
	assert_false(a.is_route);
	assert_false(a.failure.is_permanent);
	assert_in_range(took_ms, 0, 30500);
	start_server(f, strchr(f->servers, '@') + 1);
	start_ms = clock_mono_ms();
	do {
		ask_one(f, r, "mx.test", &a);
		usleep(200000);
	} while (!a.is_route && clock_mono_ms() - start_ms < 20000);
	print_message("dead: %d ms, back after %d ms\n", took_ms,
		      (int)(clock_mono_ms() - start_ms));
	assert_true(a.is_route);
	router_free(r);
}

struct looked_up {
	struct loop *loop;
	struct finding finding;
};

static void on_finding(const struct finding *finding, void *arg)
{
	struct looked_up *l = arg;

	l->finding = *finding;
	loop_stop(l->loop);
}

static void look_up(const struct lookup_context *ctx, const char *name, struct looked_up *out)
{
	struct lookup *l = NULL;

	out->loop = ctx->loop;
	assert_int_equal(lookup_start(&l, ctx, name, on_finding, out), 0);
	loop_run(ctx->loop);
	lookup_free(l);
}

static void a_host_with_our_address_and_worse_ones_are_dropped(void **state)
{
	struct fixture *f = *state;
	struct dns_options options = {f->servers, false};
	struct sockaddr_in own = {.sin_family = AF_INET};
	struct sockaddr_storage own_addr = {0};
	uint64_t random = 1;
	struct lookup_context ctx = {.loop = f->loop,
				     .own_name = "other.test",
				     .own_addrs = &own_addr,
				     .n_own_addrs = 1,
				     .random = &random,
				     .port = 25};
	struct looked_up got;
	struct err e;

	assert_int_equal(inet_pton(AF_INET, "9.9.9.5", &own.sin_addr), 1); /* own.mx.test */
	memcpy(&own_addr, &own, sizeof(own));
	assert_int_equal(dns_new(&ctx.dns, f->loop, &options, &e), 0);
	look_up(&ctx, "own.test", &got);
	assert_false(got.finding.is_route);
	assert_non_null(strstr(got.finding.failure.text, "would come back to this host"));
	assert_true(got.finding.failure.is_permanent);
	look_up(&ctx, "ownlast.test", &got);
	assert_true(got.finding.is_route);
	assert_int_equal(got.finding.route.n_hosts, 1);
	assert_string_equal(got.finding.route.hosts[0].name, "b.mx.test");
	look_up(&ctx, "ownequal.test", &got);
	assert_false(got.finding.is_route);
	ctx.allow_private = true;
	look_up(&ctx, "own.test", &got);
	assert_true(got.finding.is_route);
	dns_free(ctx.dns);
}

struct relay_row {
	const char *url;
	enum config_tls policy;
	const char *site, *host;
	uint16_t port;
	enum route_tls tls;
	bool verify;
	const char *user;
	size_t n_hosts;
};

static const struct relay_row relay_rows[] = {
	{"smtp://127.0.0.1:2525", TLS_OPPORTUNISTIC, "relay:127.0.0.1:2525", "127.0.0.1", 2525,
	 ROUTE_TLS_OPPORTUNISTIC, false, NULL, 1},
	{"smtp://[::1]", TLS_OPPORTUNISTIC, "relay:[::1]:25", "::1", 25, ROUTE_TLS_OPPORTUNISTIC,
	 false, NULL, 1},
	{"smtp://u:p@relay.test", TLS_REQUIRED, "relay:relay.test:587", "relay.test", 587,
	 ROUTE_TLS_REQUIRED, true, "u", 2},
	{"smtp://u:p@relay.test:1", TLS_OPPORTUNISTIC, "relay:relay.test:1", "relay.test", 1,
	 ROUTE_TLS_REQUIRED, true, "u", 2},
	{"smtp://u:p@relay.test:1?tls=unverified", TLS_OPPORTUNISTIC, "relay:relay.test:1",
	 "relay.test", 1, ROUTE_TLS_REQUIRED, false, "u", 2},
	{"smtp://u:p@relay.test:1?tls=opportunistic", TLS_OPPORTUNISTIC, "relay:relay.test:1",
	 "relay.test", 1, ROUTE_TLS_OPPORTUNISTIC, false, "u", 2},
	{"smtps://relay.test?tls=unverified", TLS_OPPORTUNISTIC, "relay:relay.test:465",
	 "relay.test", 465, ROUTE_TLS_IMPLICIT, false, NULL, 2},
	{"smtp://relay.test", TLS_REQUIRED, "relay:relay.test:25", "relay.test", 25,
	 ROUTE_TLS_REQUIRED, true, NULL, 2},
	{"smtps://u:p@relay.test", TLS_OPPORTUNISTIC, "relay:relay.test:465", "relay.test", 465,
	 ROUTE_TLS_IMPLICIT, true, "u", 2},
	{"smtp://localhost:26", TLS_OPPORTUNISTIC, "relay:localhost:26", "localhost", 26,
	 ROUTE_TLS_OPPORTUNISTIC, false, NULL, 0},
};

static void check_relay(struct fixture *f, const struct relay_row *row)
{
	struct router *r = make_router(f);
	struct answer a;
	struct sockaddr_in addr;

	for (int i = 0; i < 2; i++) {
		ask_one(f, r, i ? "other.example" : "null.test", &a);
		if (!a.is_route)
			fail_msg("%s: %s", row->url, a.failure.text);
		assert_string_equal(a.route.site, row->site);
		assert_string_equal(a.route.hosts[0].name, row->host);
		if (row->n_hosts)
			assert_int_equal(a.route.n_hosts, row->n_hosts);
		memcpy(&addr, &a.route.hosts[0].addr, sizeof(addr));
		assert_int_equal(ntohs(addr.sin_port), row->port);
		assert_true(a.route.is_relay);
		assert_int_equal(a.route.tls, row->tls);
		assert_int_equal(a.route.verify, row->verify);
		assert_string_equal(a.route.ca_file, "/ca.pem");
		assert_int_equal(a.route.user != NULL, row->user != NULL);
		if (row->user) {
			assert_string_equal(a.route.user, row->user);
			assert_string_equal(a.route.password, "p");
		}
	}
	router_free(r);
}

static void a_relay_takes_the_mail_of_every_domain(void **state)
{
	struct fixture *f = *state;

	f->config.relay_ca_file = "/ca.pem";
	for (size_t i = 0; i < sizeof(relay_rows) / sizeof(*relay_rows); i++) {
		f->config.relay_url = relay_rows[i].url;
		f->config.tls_policy = relay_rows[i].policy;
		check_relay(f, &relay_rows[i]);
	}
	f->config.relay_url = "";
	f->config.relay_ca_file = "";
	f->config.tls_policy = TLS_OPPORTUNISTIC;
}

static void a_relay_without_address_never_bounces(void **state)
{
	static const char *const urls[] = {"smtp://no.gone2.test", "smtp://bare.test",
					   "smtp://servfail.test"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct router *r;
		struct answer a;

		f->config.relay_url = urls[i];
		r = make_router(f);
		ask_one(f, r, "mx.test", &a);
		assert_false(a.is_route);
		assert_false(a.failure.is_permanent);
		assert_false(a.failure.is_permanent);
		router_free(r);
	}
	f->config.relay_url = "";
}

static const struct {
	const char *relay_url, *dns_servers;
	int64_t port;
	const char *says; /* NULL: good */
} configs[] = {
	{"", "", 25, NULL},
	{"smtp://h", "127.0.0.1@5353 9.9.9.9", 25, NULL},
	{"smtps://u:p@[::1]:465", " ::1@53,2620:fe::fe ", 65535, NULL},
	{"http://u:secret@h", "", 25, "POSTERN_RELAY_URL: must begin"},
	{"", "localhost", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "9.9.9.9 1.2.3", 25, "POSTERN_DNS_SERVERS: server 2"},
	{"", "9.9.9.9:53", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "9.9.9.9@", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "9.9.9.9@0", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "9.9.9.9@65536", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "9.9.9.9@53x", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "@53", 25, "POSTERN_DNS_SERVERS: server 1"},
	{"", "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1", 25,
	 "more than 8"},
	{"", "00000000000000000000000000000000000000000000000000000000000000000000", 25,
	 "server 1"},
	{"", "", 0, "POSTERN_SMTP_PORT"},
	{"", "", 65536, "POSTERN_SMTP_PORT"},
};

static void an_error_of_the_configuration_names_its_setting(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
		struct config c = {.relay_url = configs[i].relay_url,
				   .dns_servers = configs[i].dns_servers,
				   .smtp_port = configs[i].port};
		struct err e = {0};
		int rc = router_check_config(&c, &e);

		assert_int_equal(rc, configs[i].says ? -1 : 0);
		if (rc < 0 && (e.kind != ERR_INPUT || !strstr(e.text, configs[i].says)))
			fail_msg("%s", e.text);
		assert_null(strstr(e.text, "secret"));
	}
}

static void a_url_that_wants_less_than_the_policy_is_refused(void **state)
{
	static const char *const urls[] = {"smtp://u:secret@h?tls=unverified",
					   "smtp://h?tls=opportunistic",
					   "smtps://h?tls=unverified"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct config c = {.relay_url = urls[i], .dns_servers = "", .smtp_port = 25};
		struct err e;

		assert_int_equal(router_check_config(&c, &e), 0);
		c.tls_policy = TLS_REQUIRED;
		assert_int_equal(router_check_config(&c, &e), -1);
		assert_non_null(strstr(e.text, "contradicts POSTERN_TLS_POLICY=required"));
		assert_null(strstr(e.text, "secret"));
	}
}

UNIT_TESTS_IN(set_up, tear_down, cmocka_unit_test(concurrent_lookups_of_one_domain_are_one_query),
	      cmocka_unit_test(ttl_0_is_kept_for_a_batch),
	      cmocka_unit_test(more_than_a_thousand_open_questions_are_put_off),
	      cmocka_unit_test(open_questions_are_dropped_with_the_router),
	      cmocka_unit_test(a_dead_resolver_defers_and_its_return_is_noticed),
	      cmocka_unit_test(a_host_with_our_address_and_worse_ones_are_dropped),
	      cmocka_unit_test(a_relay_takes_the_mail_of_every_domain),
	      cmocka_unit_test(a_relay_without_address_never_bounces),
	      cmocka_unit_test(an_error_of_the_configuration_names_its_setting),
	      cmocka_unit_test(a_url_that_wants_less_than_the_policy_is_refused))
