#ifndef SERVER_STORE_PROJECTS_SUPPRESSION_SYNC_H
#define SERVER_STORE_PROJECTS_SUPPRESSION_SYNC_H

#include <stdbool.h>

struct redis;

/* Each partition has the suppression lists, and a bounce adds to the list of its message's
 * partition only. This copies new entries to all other partitions. An entry stays new until all
 * partitions have it, so a process that dies loses none. The order in which copies arrive does not
 * matter: lua/lib/suppression.lua. */

/* has_more: there are more entries; run it again. fn fires exactly once, after the call has
 * returned. */
typedef void suppression_sync_fn(bool has_more, void *arg);
/* Copies the new entries of one partition. */
void suppression_sync_run(struct redis *redis, unsigned partition, suppression_sync_fn *fn,
			  void *arg);

#endif
