#ifndef SERVER_SUPERVISOR_LISTEN_H
#define SERVER_SUPERVISOR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

/* The listening sockets. They are bound once, without SO_REUSEPORT, so that a port in use is an
 * error at the start. */

#define LISTEN_MAX 16

struct listen {
	int fds[LISTEN_MAX];
	size_t n;
};

/* listen: a comma- or space-separated list of "127.0.0.1:8080", "[::]:8080", ":8080",
 * "localhost:8080". variable: for errors, POSTERN_LISTEN or POSTERN_METRICS_LISTEN. ERR_INPUT:
 * syntax error; ERR_RETRY: in use; ERR_REFUSED: not allowed. */
int listen_open(struct listen *l, const char *variable, const char *listen, struct err *e);
void listen_close(struct listen *l);
/* True if both lists have an address: the same host and port as text. */
bool listen_share(const char *listen, const char *other);
/* Checks the syntax only. */
int listen_check(const char *variable, const char *listen, struct err *e);

/* Host and port by which a client on this machine reaches the first address. */
#define LISTEN_HOST_MAX 256
#define LISTEN_PORT_MAX 6
int listen_local(const char *listen, char host[LISTEN_HOST_MAX], char port[LISTEN_PORT_MAX]);

#endif
