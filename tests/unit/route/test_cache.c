/* What the route cache gives back, when it forgets, and how much it holds. */
#include "server/route/cache.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void add_host(struct finding *f, const char *name, const char *ip, uint16_t rank)
{
	struct route_host *h = &f->route.hosts[f->route.n_hosts];
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(25)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(25)};

	f->ranks[f->route.n_hosts++] = rank;
	snprintf(h->name, sizeof(h->name), "%s", name);
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
		memcpy(&h->addr, &v4, sizeof(v4));
		h->addr_len = sizeof(v4);
		return;
	}
	assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
	memcpy(&h->addr, &v6, sizeof(v6));
	h->addr_len = sizeof(v6);
}

static struct finding make_route(size_t n_hosts)
{
	static const char *const ips[] = {"1.2.3.4", "2003::1", "5.6.7.8", "2003::2", "9.9.9.9"};
	struct finding f = {.is_route = true};
	char name[256];

	snprintf(f.route.site, sizeof(f.route.site), "%0255d", 7);
	for (size_t i = 0; i < n_hosts; i++) {
		snprintf(name, sizeof(name), "%0253zu", i);
		add_host(&f, name, ips[i], (uint16_t)(i * 10000));
	}
	return f;
}

static void a_route_comes_back_as_it_went_in(void **state)
{
	struct cache *c = cache_new(10);
	struct finding in = make_route(ROUTE_HOSTS_MAX);
	struct finding out;

	(void)state;
	memset(&out, 0xa5, sizeof(out));
	cache_put(c, "example.com", &in, 1000);
	assert_false(cache_get(c, "example.org", 0, &out));
	assert_true(cache_get(c, "example.com", 999, &out));
	assert_true(out.is_route);
	assert_string_equal(out.route.site, in.route.site);
	assert_int_equal(out.route.n_hosts, in.route.n_hosts);
	assert_memory_equal(out.ranks, in.ranks, sizeof(in.ranks));
	for (size_t i = 0; i < in.route.n_hosts; i++) {
		assert_string_equal(out.route.hosts[i].name, in.route.hosts[i].name);
		assert_int_equal(out.route.hosts[i].addr_len, in.route.hosts[i].addr_len);
		assert_memory_equal(&out.route.hosts[i].addr, &in.route.hosts[i].addr,
				    sizeof(in.route.hosts[i].addr));
	}
	cache_free(c);
}

static void a_failure_comes_back_and_replaces_a_route(void **state)
{
	struct cache *c = cache_new(10);
	struct finding route = make_route(1);
	struct finding failure = {.failure = {true, "no such domain"}};
	struct finding out;

	(void)state;
	cache_put(c, "example.com", &route, 1000);
	cache_put(c, "example.com", &failure, 1000);
	assert_true(cache_get(c, "example.com", 1, &out));
	assert_false(out.is_route);
	assert_true(out.failure.is_permanent);
	assert_string_equal(out.failure.text, "no such domain");
	cache_free(c);
}

static void expired_entries_are_gone(void **state)
{
	struct cache *c = cache_new(10);
	struct finding in = make_route(1);
	struct finding out;

	(void)state;
	cache_put(c, "example.com", &in, 1000);
	assert_false(cache_get(c, "example.com", 1000, &out));
	assert_false(cache_get(c, "example.com", 1, &out));
	cache_free(c);
}

static void the_least_recently_used_goes_first(void **state)
{
	struct cache *c = cache_new(100);
	struct finding in = make_route(1);
	struct finding out;
	char key[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "d%d.example", i);
		cache_put(c, key, &in, 1000);
		assert_int_equal(cache_get(c, "d0.example", 1, &out), true);
	}
	for (int i = 1; i < 10000; i++) {
		snprintf(key, sizeof(key), "d%d.example", i);
		if (cache_get(c, key, 1, &out) != (i > 9900))
			fail_msg("%s", key);
	}
	cache_free(c);
	cache_free(NULL);
}

UNIT_TESTS(cmocka_unit_test(a_route_comes_back_as_it_went_in),
	   cmocka_unit_test(a_failure_comes_back_and_replaces_a_route),
	   cmocka_unit_test(expired_entries_are_gone),
	   cmocka_unit_test(the_least_recently_used_goes_first))
