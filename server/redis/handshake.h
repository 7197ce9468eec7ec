#ifndef SERVER_REDIS_HANDSHAKE_H
#define SERVER_REDIS_HANDSHAKE_H

#include "server/redis/calls.h"
#include "server/redis/health.h"
#include "server/redis/instance.h"

struct config;

/* The first steps on each new connection: load the scripts; make or check the `meta` key (schema,
 * partitions, instance); read Redis's time, state and settings. Redis replies in order, so all
 * steps are sent at once after `meta` is known. */

/* State that the handshakes of one process share. */
struct handshake_store {
	const struct config *config;
	struct instance instance;
	struct health *health;
	unsigned partitions;              /* 1 until the first handshake is done */
	void (*on_partitions)(void *arg); /* the number changed */
	void *arg;
};

struct handshake {
	struct handshake_store *store;
	struct calls *calls;
	unsigned number;     /* of the connection, for the log */
	unsigned steps_left; /* without a reply */
};

/* Callbacks for struct conn_events (conn.h); arg is the struct handshake. */
void handshake_connected(struct conn *conn, void *arg);
void handshake_lost(struct conn *conn, const char *why, void *arg);

#endif
