#ifndef SERVER_STORE_QUEUE_ACCEPT_ARGS_H
#define SERVER_STORE_QUEUE_ACCEPT_ARGS_H

#include "server/base/buf.h"
#include "server/redis/link/command.h"
#include "server/store/queue/accept.h"

/* Writes one message as the arguments of lua/queue/accept.lua. packed: its content, which is left
 * out if it was stored in chunks (chunks > 0). -1: out of memory, no recipient, or too many
 * destinations. share: the partition has this part of max_messages and max_bytes. */
int accept_args_write(struct command *args, const struct accept_request *m,
		      const struct buf *packed, size_t chunks, unsigned share);

#endif
