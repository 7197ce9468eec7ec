#ifndef SERVER_STORE_PROJECTS_SUPPRESSION_SYNC_H
#define SERVER_STORE_PROJECTS_SUPPRESSION_SYNC_H

#include <stdbool.h>

struct redis;

/* Each partition has the suppression lists, and a bounce writes to that of its message. Here the
 * others get it: what is new in one is copied to all, and is new until each has answered, so that
 * nothing is lost when the process dies. Which of an entry and a removal holds does not depend on
 * when a copy comes: lua/lib/suppression.lua. */

/* has_more: there is more to bring at once. fn fires exactly once, never from within. */
typedef void suppression_sync_fn(bool has_more, void *arg);
/* Brings the news of one partition to the others. */
void suppression_sync_run(struct redis *redis, unsigned partition, suppression_sync_fn *fn,
			  void *arg);

#endif
