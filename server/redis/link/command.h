#ifndef SERVER_REDIS_LINK_COMMAND_H
#define SERVER_REDIS_LINK_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lua_names.h"
#include "server/base/buf.h"

/* A Redis command, built as RESP, so that it can be sent again unchanged. Arguments may contain any
 * octets. When memory runs out, later calls do nothing and command_finish returns NULL. */

struct command {
	struct buf bytes; /* COMMAND_HEAD bytes of room, then the arguments */
	unsigned n;
	unsigned partition;     /* of its keys, which are all in one */
	bool is_placed;         /* partition is set: it goes to the Redis that has it */
	bool waits_for_replica; /* the call ends after a replica has what the command wrote */
};

void command_start(struct command *c, const char *name); /* "GET" ... */
/* AUTH; user "" = the default user. */
void command_auth(struct command *c, const char *user, const char *password);
/* WAIT for one replica, for at most 2 s. It covers all that the server has written when the command
 * before it runs, also if that is the repetition of a command whose connection was lost. */
void command_wait(struct command *c);
#define REDIS_GLOBAL 0xffffu /* in place of a partition: the keys of the installation */
/* Writes the root of a partition or of REDIS_GLOBAL, with which all its keys begin. Returns its
 * length. */
#define COMMAND_ROOT_MAX 24
size_t command_root(unsigned partition, char root[COMMAND_ROOT_MAX]);
/* The partition in a key or channel of a partition. */
unsigned command_root_partition(const char *key);
/* FCALL of a transition on the partition (or REDIS_GLOBAL). */
void command_script(struct command *c, enum script script, unsigned partition);
/* For a command without a key, such as TIME: it goes to the Redis that has this partition. */
void command_to(struct command *c, unsigned partition);
/* One argument each: any octets, a text without its NUL, a number in decimal digits. */
void command_arg(struct command *c, const void *bytes, size_t len);
void command_str(struct command *c, const char *text);
void command_num(struct command *c, int64_t n);
/* Adds a key of a partition: its root, then the formatted rest. A key that is too long fails the
 * command, and so does a key of another partition: a cluster would refuse it. */
void command_key(struct command *c, unsigned partition, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds all arguments of a list that command_args started. */
void command_append(struct command *c, const struct command *args);
/* Starts a list of arguments without a command, for command_append. */
void command_args(struct command *c);
/* Allocates memory for len more bytes at once. */
void command_reserve(struct command *c, size_t len);
/* The finished bytes, owned by c; NULL: out of memory. */
const char *command_finish(struct command *c, size_t *len);
/* A zeroed command does nothing. */
void command_deinit(struct command *c);

#endif
