#ifndef SERVER_SUPERVISOR_REDIS_CHILD_H
#define SERVER_SUPERVISOR_REDIS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "server/base/err.h"
#include "server/role/role.h"

/* The embedded Redis: a redis-server child on a Unix socket in the data directory, with the
 * settings that Postern needs. A lock file allows one Postern per data directory. */

struct redis_child {
	int lock_fd;                                              /* data_dir/lock */
	char url[sizeof("unix://") + sizeof(struct sockaddr_un)]; /* the value of redis_url */
};

/* Creates the directories, takes the lock, removes an old socket, and points config->redis_url to
 * r->url: r must outlive config. ERR_REFUSED: another Postern uses the data directory. ERR_INPUT:
 * redis-server is not installed, or the path is too long for a socket. */
int redis_child_prepare(struct redis_child *r, struct config *config, struct err *e);
/* Releases the lock. */
void redis_child_release(struct redis_child *r);

/* Runs in the child: execs redis-server. */
int redis_child_run(const struct role_context *ctx);
/* True if it accepts connections on its socket. */
bool redis_child_is_up(const struct config *config);
/* The unix:// URL of the socket in the data directory. ERR_INPUT: the path is too long. */
int redis_child_url(const struct config *config, char *url, size_t len, struct err *e);

#endif
