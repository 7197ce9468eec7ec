#ifndef API_HTTP_ACCEPT_H
#define API_HTTP_ACCEPT_H

#include <stddef.h>

#include "api/http/engine.h"
#include "server/base/err.h"

/* Accepts clients from the listening sockets fds until accept_stop. For this folder only. */
int accept_start(struct http_server *s, const int *fds, size_t n, struct err *e);
void accept_stop(struct http_server *s);

#endif
