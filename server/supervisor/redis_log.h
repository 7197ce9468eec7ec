#ifndef SERVER_SUPERVISOR_REDIS_LOG_H
#define SERVER_SUPERVISOR_REDIS_LOG_H

#include <stdbool.h>

#include "server/base/err.h"

/* The append-only log of a Redis that does not run.
 *
 * A power failure may cut off the last transaction in the log. Redis has not confirmed it to
 * anybody, and ignores it when it loads. But up to version 7, Redis keeps the complete commands of
 * that half in the file and appends to them. The start after the next one then finds MULTI without
 * EXEC, and runs the half together with the commands after it. (Fixed in Valkey by
 * https://github.com/valkey-io/valkey/pull/4342.) So the half is removed before Redis starts. */

/* Removes an unfinished write from the log in dir, the directory with appendonly.aof.manifest.
 * Without a manifest there is nothing to do. The removed bytes are kept in a file beside the log;
 * the removal is logged. redis-check-aof reads the whole log for this, at about 1 GB a second.
 *
 * -1: ERR_INPUT: the log cannot be read or written; ERR_REFUSED: it is damaged in another way, and
 * was not changed. */
int redis_log_mend(const char *dir, struct err *e);

/* Checks a directory that a person named. ERR_INPUT: Redis does not keep its log there. *is_new:
 * Redis has not created its log yet. */
int redis_log_check_dir(const char *dir, bool *is_new, struct err *e);

#endif
