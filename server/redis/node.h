#ifndef SERVER_REDIS_NODE_H
#define SERVER_REDIS_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/id.h"
#include "server/redis/calls.h"
#include "server/redis/handshake.h"
#include "server/redis/health.h"
#include "server/redis/link/conn.h"
#include "server/redis/link/url.h"
#include "server/redis/subscriber.h"

/* One Redis server with its connections: the only one, or a primary of a cluster. A root is a
 * partition or REDIS_GLOBAL; each has one node at a time. */

#define NODE_BULK HEALTH_CONNECTIONS /* opened by the first bulk call; readiness ignores it */
#define NODE_CONNECTIONS (NODE_BULK + 1)
#define NODE_ROOTS (ID_PARTITIONS + 1)

struct node;

/* What all nodes of a process share. */
struct node_shared {
	struct loop *loop;
	const struct config *config;
	struct conn_target target; /* without the node */
	struct handshake_store store;
	struct subscriptions subscriptions;
	bool has_subscriber;
	/* A command for the partition was refused with MOVED, ASK, TRYAGAIN or CLUSTERDOWN. NULL:
	 * not a cluster. */
	void (*on_redirect)(const struct node *n, unsigned partition, const char *error);
	void (*on_doubt)(void *arg); /* a node is away: the map of the cluster may be old */
	void *arg;
	struct node *owners[NODE_ROOTS]; /* by node_root() */
};

struct node {
	struct node *next;
	struct node_shared *shared;
	struct redis_host host; /* name "": not a cluster */
	struct conn_target target;
	struct calls calls[NODE_CONNECTIONS];
	struct handshake handshakes[NODE_CONNECTIONS];
	struct health health;
	struct subscriber *subscriber;
	bool has_changed; /* owns other partitions since the last node_subscribe */
	int64_t owned_at; /* monotonic ms; when it was last seen to own something */
};

/* Index of a partition, or of REDIS_GLOBAL, in owners. */
static inline unsigned node_root(unsigned partition)
{
	return partition < ID_PARTITIONS ? partition : ID_PARTITIONS;
}

/* host NULL: the URL says where Redis is. NULL: out of memory. */
struct node *node_new(struct node_shared *shared, const struct redis_host *host);
/* A node without a connection: the owner of roots that no server has. NULL: out of memory. */
struct node *node_new_absent(struct node_shared *shared);
/* No callback fires. Not within a callback of its connections. NULL does nothing. */
void node_free(struct node *n);

/* True if it is the owner of this partition (or REDIS_GLOBAL). */
bool node_owns(const struct node *n, unsigned partition);
bool node_owns_any(const struct node *n);
/* Its partitions as "0, 2-5", cut at the size. */
void node_write_partitions(const struct node *n, char *out, size_t size);

/* It has other partitions: subscribes again. */
void node_subscribe(struct node *n);
/* A new partition, or a new part of limits: sets the partition up, and checks that it is ours. */
void node_init_partition(struct node *n, unsigned partition);
struct calls *node_bulk(struct node *n);
/* Ends all calls as CALL_UNKNOWN or CALL_NEVER_SENT. */
void node_abandon(struct node *n);
/* Every 200 ms. */
void node_tick(struct node *n);
/* The node is no owner any more: ends its connections, so that no call waits for a reply. */
void node_disconnect(struct node *n);

#endif
