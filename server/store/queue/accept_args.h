#ifndef SERVER_STORE_QUEUE_ACCEPT_ARGS_H
#define SERVER_STORE_QUEUE_ACCEPT_ARGS_H

#include "server/base/buf.h"
#include "server/redis/command.h"
#include "server/store/queue/accept.h"

/* One message as the arguments that lua/accept.lua takes for it. packed: its content, which goes
 * with it unless it was written apart, in so many chunks. -1: out of memory, no recipient, or too
 * many destinations. */
int accept_args_write(struct command *args, const struct accept_request *m,
		      const struct buf *packed, size_t chunks);

#endif
