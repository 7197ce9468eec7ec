#ifndef SERVER_REDIS_LINK_CONN_H
#define SERVER_REDIS_LINK_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "server/redis/link/command.h"
#include "server/redis/link/pipeline.h"

struct redis_url;
struct tls_context;

/* One connection to Redis, which reconnects by itself. With sentinels it asks them for the master,
 * and every 2 s whether it is still the same. It resolves the host (evdns, never blocking),
 * connects (within 5 s, with TLS), authenticates, selects the database, with sentinels checks that
 * this is a master (ROLE), and calls on_connected. Its user then makes a handshake and calls
 * conn_is_fit or conn_drop. After a loss it calls on_lost, and connects again after 100 ms, twice
 * as long after each failure, at most 3 s, with sentinels 1 s. */

struct conn;

struct conn_events {
	void (*on_connected)(struct conn *c, void *arg);
	void (*on_lost)(struct conn *c, const char *why, void *arg); /* also: could not connect */
	void *arg;
};

/* All are borrowed. */
struct conn_target {
	const struct redis_url *url;
	const struct redis_host *node; /* of a cluster; NULL = the URL says where Redis is */
	struct tls_context *tls;       /* NULL = without TLS */
};

struct conn *conn_new(struct loop *loop, const struct conn_target *target,
		      const struct conn_events *events);
/* Pending callbacks get NULL. Not within a callback of the connection. */
void conn_free(struct conn *c);
/* Sends a command as RESP; the bytes are copied. False: there is no connection, and fn does not
 * fire. fn gets the reply, or NULL when the connection is lost first. */
bool conn_send(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg);
/* The same for a command that is not sent again; see pipeline_send_command. */
bool conn_send_command(struct conn *c, struct command *take, reply_fn *fn, void *arg);
/* Sends SUBSCRIBE; see pipeline_listen. False: as conn_send. */
bool conn_listen(struct conn *c, const char *bytes, size_t len, reply_fn *fn, void *arg);
/* See pipeline_keep_reply. */
void conn_keep_reply(struct conn *c);
/* See pipeline_has_moved. */
bool conn_has_moved(struct conn *c);
/* Closes this connection; on_lost gets the reason, and a new connection follows. */
void conn_drop(struct conn *c, const char *why);
/* The handshake succeeded: the next reconnect starts with the shortest delay again. */
void conn_is_fit(struct conn *c);

#endif
