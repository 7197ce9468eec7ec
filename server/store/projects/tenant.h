#ifndef SERVER_STORE_PROJECTS_TENANT_H
#define SERVER_STORE_PROJECTS_TENANT_H

#include <stdbool.h>

/* A tenant is one mode of a project. Its name is a part of the keys in Redis wherever a project's
 * things are kept (messages, lists, the event log, webhooks, the test inbox), so that live and test
 * keys cannot reach each other's things. It is the number of the project, and `t` for test mode. */

#define TENANT_MAX 12

void tenant_name(const char *project_number, bool is_test, char out[TENANT_MAX]);
bool tenant_is_test(const char *tenant);

#endif
