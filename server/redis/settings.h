#ifndef SERVER_REDIS_SETTINGS_H
#define SERVER_REDIS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

/* Do the settings of this Redis keep the promise of a 202? Pure: replies in, verdict out. */

struct redis_settings {
	bool is_able;         /* it can take mail: reads and writes, has room, is a master */
	bool holds;           /* and keeps what it took: fsync always ... */
	char why[200];        /* the first thing that is not so, for an operator */
	int64_t memory_bytes; /* used_memory */
	bool is_unlimited;    /* maxmemory 0: a warning, not a refusal */
	bool loads_halves; /* aof-load-truncated yes: likewise, see server/supervisor/redis_log.h */
};

/* info: INFO (all default sections); config: CONFIG GET appendfsync no-appendfsync-on-rewrite
 * aof-load-truncated, or an error reply where it is denied; may_assume: the operator vouches for
 * what cannot be read. */
void settings_check(const redisReply *info, const redisReply *config, bool may_assume,
		    struct redis_settings *out);

#endif
