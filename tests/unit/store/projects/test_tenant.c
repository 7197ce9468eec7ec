/* The names of tenants. */

#include "server/store/projects/tenant.h"
#include "tests/unit/unit.h"

static void the_modes_of_a_project_are_two_tenants(void **state)
{
	static const struct {
		const char *number;
		bool is_test;
		const char *name;
	} rows[] = {
		{"1", false, "1"},
		{"1", true, "1t"},
		{"4294967295", true, "4294967295t"},
		{"4294967295", false, "4294967295"},
	};
	char name[TENANT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tenant_name(rows[i].number, rows[i].is_test, name);
		assert_string_equal(name, rows[i].name);
		assert_int_equal(tenant_is_test(name), rows[i].is_test);
	}
	assert_false(tenant_is_test(""));
}

UNIT_TESTS(cmocka_unit_test(the_modes_of_a_project_are_two_tenants))
