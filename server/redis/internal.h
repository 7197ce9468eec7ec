#ifndef SERVER_REDIS_INTERNAL_H
#define SERVER_REDIS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/async.h>

#include "server/base/loop.h"
#include "server/redis/call.h"
#include "server/redis/settings.h"
#include "server/redis/instance.h"
#include "server/redis/subscriber.h"
#include "server/redis/redis.h"
#include "server/redis/url.h"

/* Inside the store's connection: what store.c (the outside), health.c (able to accept?),
 *handshake.c (what a fresh connection must do first) and link.c (calls on their way) share.
 *
 *	store -> health -> handshake -> link -> conn
 */

#define REDIS_LINKS 2

/* ---- link.c: a connection that carries calls ---- */

struct call;

struct calls {
	struct redis *redis;
	struct conn *conn;
	bool is_up;
	unsigned steps_left; /* of the handshake */
	struct call *first, *last;
};

void calls_add(struct calls *l, struct command *take, int64_t limit_ms, call_fn *fn, void *arg);
/* The handshake is done: what waits goes out. */
void calls_went_up(struct calls *l);
/* Ends what is over, sends what is due, drops a connection that is silent. */
void calls_tick(struct calls *l);
/* fn gets each answer, arg is the link. */
void calls_load_scripts(struct calls *l, redisCallbackFn *fn);
/* Ends all calls that somebody waits for, as unanswered. */
void calls_abandon(struct calls *l);
/* Frees the connection, and the calls without a word. */
void calls_close(struct calls *l);

/* ---- handshake.c ---- */

/* As the events of a conn; arg is the link. */
void handshake_connected(struct conn *conn, void *arg);
void handshake_lost(struct conn *conn, const char *why, void *arg);

/* ---- health.c ---- */

struct health {
	struct redis_settings check;
	char *info; /* the last INFO */
	size_t info_len;
	bool was_checked, was_ready;
	int64_t check_at;
	bool is_late;       /* Redis's clock may not be where we think */
	char lost_why[256]; /* why there is no connection */
};

/* Takes the answer to TIME. */
void health_keep_time(struct redis *redis, const redisReply *time);
void health_keep_info(struct redis *redis, const redisReply *info);
/* Judges the last INFO and this answer to CONFIG GET. */
void health_judge(struct redis *redis, const redisReply *config);
/* Sends CONFIG GET of the settings that matter; arg is the link. */
void health_ask_config(struct calls *l, redisCallbackFn *fn);
void health_tick(struct redis *redis);
/* Logs when the store became ready, or no longer is. */
void health_say(struct redis *redis);

struct redis {
	struct loop *loop;
	const struct config *config;
	struct redis_url url;
	struct calls links[REDIS_LINKS];
	struct subscriber *subscriber;
	struct loop_timer tick;
	struct instance instance;
	struct health health;
	int64_t offset_ms;
	unsigned partitions;
	struct {
		void *state;
		const struct redis_part_kind *kind;
	} parts[REDIS_PARTS];
};

#endif
