#ifndef SERVER_REDIS_LINK_CLUSTER_H
#define SERVER_REDIS_LINK_CLUSTER_H

#include "server/redis/link/slot_map.h"

struct loop;
struct redis_url;
struct tls_context;

/* Asks the nodes of a Redis Cluster which primary has which slot: at the start, when
 * cluster_refresh is called, and every 5 s. A map from a node that calls the cluster down counts
 * only if all nodes that reply do so. */

struct cluster;

struct cluster_events {
	/* The map is borrowed for the callback. why: NULL, or what is wrong with the cluster, as a
	 * sentence for an operator: then it takes no commands. */
	void (*on_map)(const struct slot_map *map, const char *why, void *arg);
	/* No node could be asked. why: the reply of each, or why there was none. */
	void (*on_failed)(const char *why, void *arg);
	void *arg;
};

/* url and tls are borrowed. The first question follows at once. NULL: out of memory. */
struct cluster *cluster_new(struct loop *loop, const struct redis_url *url, struct tls_context *tls,
			    const struct cluster_events *events);
/* The last map; empty before the first one. */
const struct slot_map *cluster_map(const struct cluster *c);
/* The map seems to be old: asks soon, after 20 ms or, while that does not help, up to 1 s. */
void cluster_refresh(struct cluster *c);
/* No callback fires. NULL does nothing. Not within a callback. */
void cluster_free(struct cluster *c);

#endif
