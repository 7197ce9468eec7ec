/* Which name EHLO sends, and when the operator is warned. */
#include "server/config/helo_name.h"

#include <string.h>

#include "server/config/config.h"
#include "tests/unit/unit.h"

static void a_name_needs_a_domain_and_an_address_brackets(void **state)
{
	static const struct {
		const char *name;
		bool is_good;
	} cases[] = {
		{"mail.example.com", true},
		{"a.b", true},
		{"[192.0.2.1]", true},
		{"[IPv6:2001:db8::1]", true},
		{"", false},
		{"15b0717dc4c2", false}, /* a container */
		{"localhost", false},
		{"mail.example.com.", false},
		{".example.com", false},
		{"mail example.com", false},
		{"192.0.2.1", false},
		{"[192.0.2.1", false},
		{"[]", false},
		{"m\xc3\xbcller.example", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!helo_name_check(cases[i].name) != cases[i].is_good)
			fail_msg("%s", cases[i].name);
}

static void a_host_name_that_the_setting_would_refuse_is_not_sent(void **state)
{
	struct config c = {.helo_name = "mail.example.com", .relay_url = ""};
	char name[HELO_NAME_MAX];

	(void)state;
	helo_name_find(&c, name);
	assert_string_equal(name, "mail.example.com");
	c.helo_name = "";
	helo_name_find(&c, name);
	assert_true(!*name || !helo_name_check(name));
}

static void delivery_to_mx_hosts_without_a_name_is_a_warning(void **state)
{
	struct config c = {.helo_name = "", .relay_url = "", .roles = ROLE_RELAY};
	char name[HELO_NAME_MAX];

	(void)state;
	helo_name_find(&c, name);
	assert_int_equal(helo_name_warning(&c) != NULL, !*name);
	c.helo_name = "mail.example.com";
	assert_null(helo_name_warning(&c));
	c.helo_name = "";
	c.relay_url = "smtp://relay.example.com";
	assert_null(helo_name_warning(&c));
	c.relay_url = "";
	c.roles = ROLE_API;
	assert_null(helo_name_warning(&c));
}

UNIT_TESTS(cmocka_unit_test(a_name_needs_a_domain_and_an_address_brackets),
	   cmocka_unit_test(a_host_name_that_the_setting_would_refuse_is_not_sent),
	   cmocka_unit_test(delivery_to_mx_hosts_without_a_name_is_a_warning))
