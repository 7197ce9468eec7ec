/* Lists of networks in settings. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "server/config/networks.h"
#include "tests/unit/unit.h"

static void parse_address(const char *text, uint8_t address[NETWORKS_ADDRESS])
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		assert_true(networks_address((const struct sockaddr *)&v4, address));
		return;
	}
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	assert_true(networks_address((const struct sockaddr *)&v6, address));
}

static void an_address_is_found_in_the_networks_of_a_list(void **state)
{
	static const struct {
		const char *list, *address;
		bool is_in;
	} rows[] = {
		{"", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"10.0.0.0/8, 192.0.2.0/25", "192.0.2.127", true},
		{"10.0.0.0/8, 192.0.2.0/25", "192.0.2.128", false},
		{"10.0.0.0/8 192.0.2.0/25", "10.255.255.255", true},
		{"10.1.2.3/8", "10.9.9.9", true},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "203.0.113.1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"10.0.0.0/8", "::ffff:10.0.0.1", true},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
	};
	uint8_t address[NETWORKS_ADDRESS];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		parse_address(rows[i].address, address);
		assert_null(networks_check(rows[i].list));
		assert_int_equal(networks_have(rows[i].list, address), rows[i].is_in);
	}
}

static void a_list_with_a_wrong_network_is_refused(void **state)
{
	static const char *const lists[] = {
		"10.0.0.0/33",
		"10.0.0/8",
		"::1/129",
		"proxy.example",
		"127.0.0.1/",
		"/8",
		"1.2.3.4/-1",
		"127.0.0.1,x",
		"::1%lo",
		"1.2.3.4/8/8",
		"1234567890123456789012345678901234567890123456789",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		assert_non_null(networks_check(lists[i]));
}

UNIT_TESTS(cmocka_unit_test(an_address_is_found_in_the_networks_of_a_list),
	   cmocka_unit_test(a_list_with_a_wrong_network_is_refused))
