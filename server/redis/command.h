#ifndef SERVER_REDIS_COMMAND_H
#define SERVER_REDIS_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "lua_names.h"
#include "server/base/buf.h"

/* A Redis command, built as RESP, so that it can be sent again as it is. Arguments may have any
 * octets. */

struct command {
	struct buf bytes; /* COMMAND_HEAD bytes of room, then the arguments */
	unsigned n;
};

void command_start(struct command *c, const char *name); /* "GET" ... */
/* EVALSHA of a transition on the partition (or REDIS_GLOBAL). */
#define REDIS_GLOBAL 0xffffu
void command_script(struct command *c, enum script script, unsigned partition);
void command_arg(struct command *c, const void *bytes, size_t len);
void command_str(struct command *c, const char *text);
void command_num(struct command *c, int64_t n);
/* A key of a partition: its root and then the formatted rest. */
void command_key(struct command *c, unsigned partition, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* n arguments that were written into another command's bytes: see command_args. */
void command_append(struct command *c, const struct command *args);
/* Starts a list of arguments only, for command_append. */
void command_args(struct command *c);
/* Room for len more bytes, in one piece. */
void command_reserve(struct command *c, size_t len);
/* The finished bytes (inside c); NULL when memory ran out. */
const char *command_finish(struct command *c, size_t *len);
void command_deinit(struct command *c);

#endif
