/* The connections to one address that are not ready: how many, and when the address is silent. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "server/config/networks.h"
#include "smtp/limits/address_limit.h"
#include "tests/unit/unit.h"

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage out = {0};
	struct sockaddr_in *v4 = (void *)&out;
	struct sockaddr_in6 *v6 = (void *)&out;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		out.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		out.ss_family = AF_INET6;
	else
		fail_msg("%s is no address", text);
	return out;
}

static enum address_verdict enter(struct address_limit *l, struct address_call *call,
				  const char *text, int64_t now_ms)
{
	struct sockaddr_storage addr = address(text);
	uint8_t network[NETWORKS_ADDRESS];

	assert_true(networks_client((const struct sockaddr *)&addr, network));
	return address_limit_enter(l, call, network, now_ms);
}

static void addresses_of_one_network_share_a_limit(void **state)
{
	static const struct {
		const char *first, *second;
		bool is_shared;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "193.0.2.1", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address_limit l = {.most = 1};
		struct address_call first = {0}, second = {0};

		assert_int_equal(enter(&l, &first, rows[i].first, 0), ADDRESS_FREE);
		if ((enter(&l, &second, rows[i].second, 0) == ADDRESS_BUSY) != rows[i].is_shared)
			fail_msg("%s and %s", rows[i].first, rows[i].second);
	}
}

static void a_connection_that_is_ready_makes_room_for_the_next(void **state)
{
	struct address_limit l = {.most = 3};
	struct address_call calls[5] = {{0}};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(enter(&l, &calls[i], "192.0.2.1", i), ADDRESS_FREE);
	assert_int_equal(enter(&l, &calls[3], "192.0.2.1", 4), ADDRESS_BUSY);
	for (int i = 1; i < 3; i++) { /* from the middle and from the front of the list */
		address_limit_leave(&calls[i]);
		assert_int_equal(enter(&l, &calls[i + 2], "192.0.2.1", 5), ADDRESS_FREE);
	}
	assert_int_equal(enter(&l, &calls[1], "192.0.2.1", 6), ADDRESS_BUSY);
	for (int i = 0; i < 5; i++)
		address_limit_leave(&calls[i]); /* also those that do not count */
	for (int i = 0; i < ADDRESS_LIMIT_LISTS; i++)
		assert_null(l.lists[i]);
}

static void an_address_is_silent_when_half_of_its_connections_waited_too_long(void **state)
{
	struct address_limit l = {.most = 3};
	struct address_call calls[4] = {{0}};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(enter(&l, &calls[i], "192.0.2.1", 1000 * (i + 1)), ADDRESS_FREE);
	assert_int_equal(enter(&l, &calls[3], "192.0.2.1", 1999 + ADDRESS_LIMIT_SILENT_MS),
			 ADDRESS_BUSY); /* only the first */
	assert_int_equal(enter(&l, &calls[3], "192.0.2.1", 2000 + ADDRESS_LIMIT_SILENT_MS),
			 ADDRESS_SILENT);
	address_limit_leave(&calls[0]);
	assert_int_equal(enter(&l, &calls[3], "192.0.2.1", 2000 + ADDRESS_LIMIT_SILENT_MS),
			 ADDRESS_FREE);
}

UNIT_TESTS(cmocka_unit_test(addresses_of_one_network_share_a_limit),
	   cmocka_unit_test(a_connection_that_is_ready_makes_room_for_the_next),
	   cmocka_unit_test(an_address_is_silent_when_half_of_its_connections_waited_too_long))
