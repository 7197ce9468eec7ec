#ifndef SERVER_STORE_PROJECTS_TENANT_H
#define SERVER_STORE_PROJECTS_TENANT_H

#include <stdbool.h>

/* A tenant is one mode of a project. All data of a project in Redis (messages, lists, the event
 * log, webhooks, the test inbox) has the name of the tenant in its keys, so live and test keys
 * cannot reach each other's data. The name is the number of the project, with `t` after it for test
 * mode. */

#define TENANT_MAX 12

void tenant_name(const char *project_number, bool is_test, char out[TENANT_MAX]);
bool tenant_is_test(const char *tenant);

#endif
