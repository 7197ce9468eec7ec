#ifndef SERVER_REDIS_LINK_SCRIPT_H
#define SERVER_REDIS_LINK_SCRIPT_H

#include <stdbool.h>

#include "server/redis/link/command.h"

struct conn;

/* The transitions in server/store/lua/, compiled in as one library of Redis functions. Redis stores
 * it with its data, and replicas have it, too. Its name and the names of its functions contain a
 * hash of the text, so that two versions of Postern can use one Redis. */

/* The name of the function, for FCALL. */
const char *script_function(enum script script);
/* Writes the command that lists the library. The reply is an empty array if Redis does not have
 * it. */
void script_ask(struct command *c);
/* Writes the command that loads the library. The reply is an error that contains
 * SCRIPT_IS_LOADED if another process has loaded it. */
#define SCRIPT_IS_LOADED "already exists"
/* Redis above its maxmemory refuses to load. */
#define SCRIPT_LOAD_FAILED                                                                         \
	"the functions of Postern cannot be loaded (if Redis is full, raise its maxmemory)"
void script_load(struct command *c);

/* How the error of an FCALL begins if Redis does not have the library. */
#define SCRIPT_NOT_LOADED "ERR Function not found"
/* Somebody has removed the library from Redis: loads it again, unless that is under way.
 * is_loading: false at first; it lives as long as the connection. */
void script_load_again(struct conn *conn, bool *is_loading);

#endif
