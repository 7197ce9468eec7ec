#ifndef SERVER_REDIS_LINK_PIPELINE_H
#define SERVER_REDIS_LINK_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

struct command;
struct loop;
struct stream;

/* Commands and replies on one open connection, in the order of RESP2: Redis replies to each command
 * in turn. Output is collected and written at the end of the loop turn. */

struct pipeline;

/* reply is borrowed for the callback; NULL: the connection is lost. */
typedef void reply_fn(const redisReply *reply, void *arg);
/* The connection can carry no further command: it was closed, or a reply is not RESP. */
typedef void pipeline_broken_fn(const char *why, void *arg);

/* The caller keeps the stream, and frees it after the pipeline. Callbacks may free both. NULL: out
 * of memory. */
struct pipeline *pipeline_new(struct loop *loop, struct stream *stream, pipeline_broken_fn *broken,
			      void *arg);
/* All commands without a reply get NULL. */
void pipeline_free(struct pipeline *p);
/* Sends a command as RESP; the bytes are copied. fn fires once. False: out of memory; fn does not
 * fire. */
bool pipeline_send(struct pipeline *p, const char *bytes, size_t len, reply_fn *fn, void *arg);
/* The same for a command that is not sent again: takes it, and wipes its bytes, which may have a
 * password. */
bool pipeline_send_command(struct pipeline *p, struct command *take, reply_fn *fn, void *arg);
/* Sends a command such as SUBSCRIBE. After it, fn gets all replies for which no command waits.
 * False: out of memory. */
bool pipeline_listen(struct pipeline *p, const char *bytes, size_t len, reply_fn *fn, void *arg);
/* The stream reported STREAM_MOVED: reads replies and writes what waits. */
void pipeline_move(struct pipeline *p);
/* Within a reply_fn: the caller takes the reply, and frees it with freeReplyObject. */
void pipeline_keep_reply(struct pipeline *p);
/* True after the first reply. */
bool pipeline_has_replied(const struct pipeline *p);
/* True if octets have moved since the last call of this function: octets of a reply were received,
 * or a part of the output that waited at that call was written and a part of it still waits. Output
 * that was written completely does not count: it may be in a buffer of the kernel. Only one timer
 * may call it. */
bool pipeline_has_moved(struct pipeline *p);

#endif
