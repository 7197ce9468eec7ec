/* Which addresses are never delivered to. */
#include "server/route/netblock.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char *const private_addresses[] = {
	"0.0.0.0",
	"0.1.2.3",
	"10.0.0.1",
	"10.255.255.255",
	"100.64.0.1",
	"100.127.255.255",
	"127.0.0.1",
	"127.255.255.254",
	"169.254.169.254",
	"172.16.0.1",
	"172.31.255.255",
	"192.0.0.8",
	"192.0.2.1",
	"192.88.99.1",
	"192.168.0.1",
	"192.168.255.255",
	"198.18.0.1",
	"198.19.255.255",
	"198.51.100.7",
	"203.0.113.9",
	"224.0.0.1",
	"239.255.255.255",
	"240.0.0.1",
	"255.255.255.255",
	"::",
	"::1",
	"::127.0.0.1",
	"::ffff:10.0.0.1",
	"::ffff:8.8.8.8",
	"::ffff:0:8.8.8.8",
	"64:ff9b::a00:1",
	"64:ff9b::808:808",
	"64:ff9b:1::1",
	"100::1",
	"2001::1",
	"2001:0:53aa:64c::1",
	"2001:10::1",
	"2001:20::1",
	"2001:1ff:ffff::1",
	"2001:db8::1",
	"2002:a00:1::1",
	"2002:808:808::1",
	"3fff::1",
	"3fff:fff:ffff::1",
	"4000::1",
	"5f00::1",
	"fc00::1",
	"fd12:3456::1",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"ff02::1",
	"ffff::1",
};

static const char *const public_addresses[] = {
	"1.1.1.1",
	"8.8.8.8",
	"9.255.255.255",
	"11.0.0.0",
	"100.63.255.255",
	"100.128.0.0",
	"126.255.255.255",
	"128.0.0.1",
	"169.253.255.255",
	"169.255.0.0",
	"172.15.255.255",
	"172.32.0.0",
	"191.255.255.255",
	"192.0.1.0",
	"192.0.3.0",
	"192.167.255.255",
	"192.169.0.0",
	"198.17.255.255",
	"198.20.0.0",
	"203.0.112.255",
	"223.255.255.255",
	"2001:200::1",
	"2001:4860:4860::8888",
	"2001:db7::1",
	"2001:db9::1",
	"2003::1",
	"2606:4700::1111",
	"2a00:1450::1a",
	"3ffe::1",
	"3fff:1000::1",
};

static bool is_private(const char *text)
{
	struct sockaddr_storage addr = {0};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(&addr, &v4, sizeof(v4));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		memcpy(&addr, &v6, sizeof(v6));
	}
	return netblock_is_private((const struct sockaddr *)&addr);
}

static void special_addresses_are_private(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(private_addresses) / sizeof(*private_addresses); i++) {
		if (!is_private(private_addresses[i]))
			fail_msg("%s counts as public", private_addresses[i]);
	}
}

static void addresses_beside_the_special_ones_are_public(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(public_addresses) / sizeof(*public_addresses); i++) {
		if (is_private(public_addresses[i]))
			fail_msg("%s counts as private", public_addresses[i]);
	}
}

static void other_families_are_private(void **state)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	(void)state;
	assert_true(netblock_is_private((const struct sockaddr *)&local));
	assert_true(netblock_is_private(&none));
}

UNIT_TESTS(cmocka_unit_test(special_addresses_are_private),
	   cmocka_unit_test(addresses_beside_the_special_ones_are_public),
	   cmocka_unit_test(other_families_are_private))
