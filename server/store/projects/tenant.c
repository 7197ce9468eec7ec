/* The names of tenants: one mode of a project. */
#include "server/store/projects/tenant.h"

#include <stdio.h>
#include <string.h>

void tenant_name(const char *project_number, bool is_test, char out[TENANT_MAX])
{
	snprintf(out, TENANT_MAX, "%.10s%s", project_number, is_test ? "t" : "");
}

bool tenant_is_test(const char *tenant)
{
	size_t len = strlen(tenant);

	return len > 0 && tenant[len - 1] == 't';
}
