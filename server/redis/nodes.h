#ifndef SERVER_REDIS_NODES_H
#define SERVER_REDIS_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "server/redis/link/url.h"
#include "server/redis/node.h"

/* All Redis servers of a store, and which of them owns which partition: one server, or the
 * primaries of a cluster that own a partition or the keys of the installation. Follows the map of
 * the cluster, and MOVED. After a change, calls without a reply go to the new owner.
 *
 * ASK is not followed. While a slot is being moved, each of the two nodes has a part of its keys,
 * and a transition must see all of them. No transition can run then: its root is not a key, so the
 * old owner refuses each with ASK before the first step. The calls wait until the slot has moved.
 */

struct buf;
struct cluster;
struct slot_map;

struct nodes {
	struct node_shared shared;
	struct redis_url url;
	struct node *first;
	struct node *absent;     /* owns what no server owns */
	struct cluster *cluster; /* NULL = one server */
	uint16_t slots[NODE_ROOTS];
	unsigned n_placed; /* partitions with an owner: all, and those in preparation */
	int64_t refused_at[NODE_ROOTS]; /* monotonic ms; the last ASK, TRYAGAIN or CLUSTERDOWN */
	bool is_down;                   /* the cluster takes no commands */
	char why[480];                  /* why there is no map, or is_down; "" = all is well */
};

/* Starts to connect. ERR_INPUT: a setting is wrong. */
int nodes_open(struct nodes *n, struct loop *loop, const struct config *config, bool has_subscriber,
	       struct err *e);
/* No callback fires. A zeroed struct does nothing. */
void nodes_close(struct nodes *n);
/* Every 200 ms. */
void nodes_tick(struct nodes *n);

/* partition may be REDIS_GLOBAL. Never NULL. */
struct node *nodes_owner(const struct nodes *n, unsigned partition);
/* Before calls for a partition that does not exist yet. */
void nodes_place(struct nodes *n, unsigned partition);
/* See redis_partition_is_ready, redis_partition_is_connected and redis_partition_is_open. */
bool nodes_partition_is_ready(const struct nodes *n, unsigned partition, const char **why);
bool nodes_partition_is_connected(const struct nodes *n, unsigned partition);
bool nodes_partition_is_open(const struct nodes *n, unsigned partition);

/* See redis_write_refusing and redis_write_metrics. */
bool nodes_write_refusing(const struct nodes *n, struct buf *out);
void nodes_write_metrics(const struct nodes *n, struct buf *out);

#endif
