#ifndef API_HTTP_DRAIN_H
#define API_HTTP_DRAIN_H

#include "api/http/engine.h"

/* Drains the server; drain.c has http_server_drain. For this folder only. */

/* 0 or -1 (out of memory). */
int drain_init(struct http_server *s);
void drain_deinit(struct http_server *s);

#endif
