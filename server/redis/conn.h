#ifndef SERVER_REDIS_CONN_H
#define SERVER_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/async.h>

struct loop;
struct redis_url;

/* One asynchronous connection to Redis that comes back by itself: resolves the host (evdns, never
 * blocking), connects (5 s), authenticates, selects the database, then calls on_connected, whose
 * user sends what has to come first and says conn_is_fit or conn_drop. After a loss: on_lost, then
 * a new try after 100 ms, doubling to 3 s. */

struct conn;

struct conn_events {
	void (*on_connected)(struct conn *c, void *arg);
	void (*on_lost)(struct conn *c, const char *why, void *arg); /* also: could not connect */
	void *arg;
};

/* url is borrowed. */
struct conn *conn_new(struct loop *loop, const struct redis_url *url,
		      const struct conn_events *events);
void conn_free(struct conn *c); /* pending callbacks get NULL */
/* Sends; false when there is no connection. fn gets NULL when the connection is lost first. */
bool conn_send(struct conn *c, const char *bytes, size_t len, redisCallbackFn *fn, void *arg);
/* Gives this connection up, for the reason; a new one follows. */
void conn_drop(struct conn *c, const char *why);
/* It works: the next reconnect starts with the short delay again. */
void conn_is_fit(struct conn *c);

#endif
