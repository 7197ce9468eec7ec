#ifndef SERVER_REDIS_CALLS_H
#define SERVER_REDIS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/redis/callback.h"
#include "server/redis/link/command.h"
#include "server/redis/link/conn.h"

/* A connection that carries calls. A call ends in exactly one way (callback.h). Until then it is
 * sent again after each lost connection and each "not now" of Redis (LOADING, BUSY, READONLY, OOM
 * ...). A connection is silent, and dropped, if a call waits for its reply and no octet has moved
 * for 10 s: none was received, and no output that waited was written.
 *
 * A command with waits_for_replica is followed by WAIT. The call ends after a replica has
 * confirmed, or as CALL_UNKNOWN if none does within 2 s.
 *
 * In a cluster, a node refuses commands with MOVED, ASK, TRYAGAIN or CLUSTERDOWN. Then on_redirect
 * fires, which may move calls to another connection. A call that is still here is sent again
 * later. */

struct call;
struct calls;

struct calls_redirect {
	/* MOVED, ASK ...: the command for this partition did not run. NULL: not a cluster. */
	void (*fn)(unsigned partition, const char *error, void *arg);
	void *arg;
};

struct calls {
	struct conn *conn;
	struct calls_redirect redirect;
	bool is_up;   /* the handshake is done: calls are sent */
	bool is_bulk; /* at most 16 calls and 512 KB are without a reply; the others wait in order
		       */
	struct call *first, *last;
	unsigned n_sent;   /* without a reply */
	size_t sent_bytes; /* of these */
	int64_t moved_at;  /* monotonic ms; the last octet, while n_sent > 0 */
	char not_now[200]; /* the last "not now" of Redis, as a sentence */
	bool is_stale;     /* READONLY, NOAUTH: the next tick connects anew */
	bool is_loading;   /* FUNCTION LOAD was sent, and has no reply yet */
};

/* Queues a command, and sends it if the connection is up. limit_ms 0: no time limit, but a command
 * that Redis refuses is tried for 6 s only. With a limit, a command that a replica refuses
 * (READONLY) is tried for 1.5 s. Takes the command's memory. back.fn fires exactly once, after this
 * function has returned. */
void calls_add(struct calls *l, struct command *take, int64_t limit_ms, struct callback back);
/* The handshake is done: sends all calls that wait. */
void calls_went_up(struct calls *l);
/* Moves the calls without a reply that are not sent, and for which `to` gives another connection.
 * Calls that are not placed (command.h) stay. */
void calls_move(struct calls *l, struct calls *(*to)(unsigned partition, void *arg), void *arg);
/* Every 200 ms: ends calls whose time is up, sends those that are due, drops a silent connection.
 */
void calls_tick(struct calls *l);
/* The next tick connects anew. Not at once, because replies to other calls may follow. */
void calls_reconnect(struct calls *l, const char *why);
/* Ends all calls as CALL_UNKNOWN (ERR_RETRY). */
void calls_abandon(struct calls *l);
/* Frees the connection and the calls; no callback fires. */
void calls_close(struct calls *l);

#endif
