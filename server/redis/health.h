#ifndef SERVER_REDIS_HEALTH_H
#define SERVER_REDIS_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/redis/calls.h"
#include "server/redis/instance.h"
#include "server/redis/settings.h"

struct config;

/* Decides whether this Redis can accept mail now, from the connections, the settings and the disk.
 * Logs each change. Keeps the offset of Redis's clock. */

#define HEALTH_CONNECTIONS 2 /* all must be up */

struct health {
	const struct config *config;
	const struct instance *instance;
	char node[272];      /* of a cluster, "host:port"; "" = not a cluster */
	struct calls *calls; /* the first one carries the checks; bulk calls are not among them */
	struct redis_settings check;
	char *info; /* the last INFO */
	size_t info_len;
	bool was_checked, was_ready;
	int64_t check_at;
	bool is_late;       /* Redis's clock may have been changed: send TIME */
	char lost_why[480]; /* why there is no connection */
	int64_t offset_ms;  /* Redis's clock minus clock_real_ms() */
};

void health_init(struct health *h, const struct config *config, const struct instance *instance,
		 struct calls *calls);
void health_deinit(struct health *h);

/* True if all connections are up. */
bool health_is_connected(const struct health *h);
/* why (may be NULL) gets the reason as a sentence for an operator; NULL if ready. The sentence is
 * valid until the next check. */
bool health_is_ready(const struct health *h, const char **why);

/* "fsync", "relaxed" or "replicated". */
const char *health_durability(const struct health *h);

/* ---- for the handshake ---- */

/* A connection was lost, or could not be opened. True if the reason, lost_why, has changed. */
bool health_lost(struct health *h, const char *why);
/* Takes the reply to TIME. */
void health_keep_time(struct health *h, const redisReply *time);
void health_keep_info(struct health *h, const redisReply *info);
/* Checks the last INFO and this reply to CONFIG GET. */
void health_judge(struct health *h, const redisReply *config);
/* Sends CONFIG GET of the settings that matter. False: out of memory, or not connected. */
bool health_ask_config(struct calls *l, reply_fn *fn, void *arg);

/* ---- on timers ---- */

/* Call it every 200 ms: checks the settings again every 5 s, or every 1 s while Redis is not ready.
 */
void health_tick(struct health *h);
/* Logs when the store has become ready, or is no longer ready. */
void health_report(struct health *h);

#endif
