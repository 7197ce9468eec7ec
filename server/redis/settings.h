#ifndef SERVER_REDIS_SETTINGS_H
#define SERVER_REDIS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

/* Checks whether the state and the settings of Redis keep the promise of a 202. */

struct redis_settings {
	bool is_able;         /* it can store mail: it is a master, can write, and has room */
	bool holds;           /* and it keeps stored mail after a crash: appendfsync always ... */
	char why[300];        /* the first check that failed, as a sentence for an operator */
	int64_t memory_bytes; /* used_memory */
	int64_t memory_max_bytes; /* maxmemory; if it is not set, half of the machine's memory; 0:
				   * not known */
	bool is_unlimited;        /* maxmemory 0: a warning, not a refusal */
	bool loads_halves;        /* aof-load-truncated yes: a warning too, see
				     server/supervisor/redis_log.h */
	bool stops_whole;         /* a cluster with cluster-require-full-coverage yes: a warning */
};

/* info: INFO (all default sections); config: CONFIG GET appendfsync no-appendfsync-on-rewrite
 * aof-load-truncated min-replicas-to-write cluster-require-full-coverage, or an error reply if
 * access is denied. */
struct settings_wanted {
	bool may_assume;    /* settings that cannot be read are assumed to be right */
	bool needs_replica; /* a replica must be in step ("online" in INFO), and
			       min-replicas-to-write must ask for one */
	bool is_cluster;    /* it must be a node of a cluster, or must not be one */
};
void settings_check(const redisReply *info, const redisReply *config,
		    const struct settings_wanted *wanted, struct redis_settings *out);

#endif
