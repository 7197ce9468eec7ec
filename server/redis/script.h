#ifndef SERVER_REDIS_SCRIPT_H
#define SERVER_REDIS_SCRIPT_H

#include "server/redis/command.h"

/* The transitions in server/store/lua/, compiled in. Redis knows them by their SHA-1. */

/* The name of the file, without .lua. */
const char *script_name(enum script script);
/* As Redis runs it: with its parts, without comments. */
const char *script_text(enum script script);
const char *script_sha(enum script script); /* 40 hex digits */

#endif
