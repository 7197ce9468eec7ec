#ifndef SERVER_SUPERVISOR_APP_H
#define SERVER_SUPERVISOR_APP_H

#include <stdbool.h>

#include "server/role/role.h"
#include "server/cli/cli.h"

/* Puts the house together: sockets, embedded Redis, one child per role and core, the supervisor. */

/* Until it has ended; gives the exit status. config is checked here. greet (or NULL) runs once as a
 * child beside the others; when it fails, the house ends. */
int app_run(const struct command *c, struct config *config, role_fn *greet, bool hangup_ends);

#endif
