#ifndef SERVER_REDIS_HANDSHAKE_H
#define SERVER_REDIS_HANDSHAKE_H

#include "server/base/id.h"
#include "server/redis/calls.h"
#include "server/redis/instance.h"
#include "server/redis/partitions.h"

struct command;
struct config;
struct node;
struct node_shared;
struct resp;

/* The first steps on each new connection: load the library of functions; make or check the `meta`
 * key (schema, partitions, instance); read Redis's time, state and settings. Redis replies in
 * order, so all steps are sent at once after `meta` is known. In a cluster, only the node that owns
 * `meta` is asked for it. The others are connected after it is known, and set their own partitions
 * up. A partition that was made before, and is empty, is refused: its node has lost its data. */

/* State that the handshakes of one process share. */
struct handshake_store {
	const struct config *config;
	struct instance instance;
	struct partitions partitions;     /* n is 0 until the first handshake is done */
	bool made[ID_PARTITIONS];         /* partitions that have been made */
	void (*on_partitions)(void *arg); /* the number became known, or changed */
	void *arg;
};

struct handshake {
	struct node *node;
	struct calls *calls;
	unsigned number;     /* of the connection, for the log */
	unsigned steps_left; /* without a reply */
};

/* Writes the command that sets a partition up; it changes nothing if that was done before. */
void handshake_init_partition(struct command *c, const struct handshake_store *store,
			      unsigned partition);
/* Takes the reply: notes that the partition was made. ERR_REFUSED: it belongs to another store, or
 * it has lost its data. */
int handshake_take_partition(struct node_shared *shared, const struct resp *reply, struct err *e);

/* Takes the partitions as `meta` has them: see partitions_read. */
int handshake_take_partitions(struct handshake_store *store, const char *n, const char *growth,
			      int64_t now_ms, struct err *e);

/* Callbacks for struct conn_events (conn.h); arg is the struct handshake. */
void handshake_connected(struct conn *conn, void *arg);
void handshake_lost(struct conn *conn, const char *why, void *arg);

#endif
