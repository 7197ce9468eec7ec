#ifndef SERVER_STORE_PROJECTS_QUOTA_H
#define SERVER_STORE_PROJECTS_QUOTA_H

#include <stdint.h>

struct key;
struct redis;

/* How much a project may have in the store. What a message takes: lua/lib/change.lua. Test mode has
 * counters of its own, and a tenth of each limit. */

#define QUOTA_TEST_PART 10
#define QUOTA_MEMORY_PERCENT 60 /* of Redis's memory: the default for stored_bytes */

/* 0: the default in a setting of a project, no limit in the result of quota_of(). */
struct quota {
	int64_t queued_messages; /* messages that are not finished */
	int64_t stored_bytes;    /* all messages, finished ones until the end of their retention */
};

/* The limits for a key: those of its project, or those of the configuration. */
struct quota quota_of(const struct redis *redis, const struct key *key);

#endif
