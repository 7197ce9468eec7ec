#ifndef SERVER_SUPERVISOR_REDIS_LOG_H
#define SERVER_SUPERVISOR_REDIS_LOG_H

#include "server/base/err.h"

/* The append-only log of a Redis that does not run.
 *
 * A power failure may leave half of the last transaction at the end of the log. Nobody was told
 * that it was done, and Redis leaves it out when it loads. But Redis up to 7 keeps its beginning in
 * the file, up to the last whole command, and writes on behind it: the next start finds MULTI
 * without EXEC, and runs that half together with what follows (mended in Valkey by
 * https://github.com/valkey-io/valkey/pull/4342). So the half is cut off before Redis sees it. */

/* dir: with appendonly.aof.manifest in it; nothing to do when there is none. What is cut off is
 * kept beside the log, and logged. Reads all of the log, by redis-check-aof (about 1 GB a second).
 *
 * -1: ERR_INPUT: it cannot be read or written; ERR_REFUSED: it is damaged otherwise, and was left
 * as it is. */
int redis_log_mend(const char *dir, struct err *e);

#endif
