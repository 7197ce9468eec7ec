#ifndef SERVER_REDIS_LINK_SCRIPT_H
#define SERVER_REDIS_LINK_SCRIPT_H

#include "server/redis/link/command.h"
#include "server/redis/link/conn.h"

/* The transitions in server/store/lua/, compiled in. Redis knows them by their SHA-1. */

/* The name of the file, without .lua. */
const char *script_name(enum script script);
/* As Redis runs it: with its parts, without comments. */
const char *script_text(enum script script);
const char *script_sha(enum script script); /* 40 hex digits */

/* Sends SCRIPT LOAD of all scripts; fn gets each reply, and arg. False: out of memory, some were
 * not sent. */
bool script_load_all(struct conn *conn, reply_fn *fn, void *arg);

#endif
