#ifndef SERVER_HOOKS_NEWS_H
#define SERVER_HOOKS_NEWS_H

#include "server/hooks/target.h"

/* Finds the projects whose log has entries that no target has read, a few partitions a turn. */
struct news {
	struct hooks_shared *shared;
	struct target *const *targets; /* the engine's list */
	unsigned n_open;
	unsigned next_partition;
};

/* Asks the store, unless replies are still pending, and calls target_hear_news for each find. */
void news_look(struct news *n);

#endif
