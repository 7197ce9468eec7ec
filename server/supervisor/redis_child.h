#ifndef SERVER_SUPERVISOR_REDIS_CHILD_H
#define SERVER_SUPERVISOR_REDIS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "server/base/err.h"
#include "server/role/role.h"

/* The embedded Redis: a redis-server child on a Unix socket in the data directory, with the
 * settings the store asks for. One postern a data directory, by lock. */

struct redis_child {
	int lock_fd;                                              /* data_dir/lock */
	char url[sizeof("unix://") + sizeof(struct sockaddr_un)]; /* what redis_url is then */
};

/* Makes the directories, takes the lock, clears the way, and points config->redis_url to r->url.
 * r must outlive config. ERR_REFUSED: another postern has the data directory. ERR_INPUT: no
 * redis-server, or a path too long for a socket. */
int redis_child_prepare(struct redis_child *r, struct config *config, struct err *e);
/* Gives the lock back. */
void redis_child_release(struct redis_child *r);

/* The child: becomes redis-server. */
int redis_child_run(const struct role_context *ctx);
/* Does it take connections on its socket? */
bool redis_child_is_up(const struct config *config);
/* unix:// URL of the socket in config's data directory, ERR_INPUT when its path is too long. */
int redis_child_url(const struct config *config, char *url, size_t len, struct err *e);

#endif
