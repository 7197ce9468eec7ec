#ifndef SERVER_SUPERVISOR_LISTEN_H
#define SERVER_SUPERVISOR_LISTEN_H

#include <stddef.h>

#include "server/base/err.h"

/* The listening sockets, bound once and exclusively (no SO_REUSEPORT), so that a port in use is an
 * error at start. */

#define LISTEN_MAX 16

struct listen {
	int fds[LISTEN_MAX];
	size_t n;
};

/* listen: "127.0.0.1:8080", "[::]:8080", ":8080", "localhost:8080"; several by comma or blank.
 * ERR_INPUT: not readable; ERR_RETRY: in use; ERR_REFUSED: not allowed. */
int listen_open(struct listen *l, const char *listen, struct err *e);
void listen_close(struct listen *l);
/* Is the text readable? */
int listen_check(const char *listen, struct err *e);

/* Where a client on this machine reaches the first address: "127.0.0.1" and "8080". */
#define LISTEN_HOST_MAX 256
#define LISTEN_PORT_MAX 6
int listen_local(const char *listen, char host[LISTEN_HOST_MAX], char port[LISTEN_PORT_MAX]);

#endif
