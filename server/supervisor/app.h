#ifndef SERVER_SUPERVISOR_APP_H
#define SERVER_SUPERVISOR_APP_H

#include <stdbool.h>

#include "server/base/err.h"
#include "server/role/role.h"

/* Runs a whole Postern: listening sockets, embedded Redis, one child per role and worker,
 * supervisor. */

struct app_options {
	role_fn *greet;      /* or NULL: runs once, as one more child; if it fails, the app ends */
	bool hangup_ends;    /* SIGHUP ends the app (the terminal was closed); false: it reloads */
	bool makes_root_key; /* when the setting root_key is empty */
	bool warns;          /* preflight_warn() at the start; false for `postern dev` */
};

/* Runs until the app has ended; returns the exit status. -1: it could not start. Checks config, and
 * sets the values in it that it generates: secret, root_key, redis_url. */
int app_run(struct config *config, const struct app_options *options, struct err *e);

#endif
