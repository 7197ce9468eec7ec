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

#define STORE_LINKS 2

/* ---- link.c: a connection that carries calls ---- */

struct call;

struct link {
	struct store *store;
	struct conn *conn;
	bool is_up;
	unsigned steps_left; /* of the handshake */
	struct call *first, *last;
};

void link_call(struct link *l, struct command *take, int64_t limit_ms, call_fn *fn, void *arg);
/* The handshake is done: what waits goes out. */
void link_went_up(struct link *l);
/* Ends what is over, sends what is due, drops a connection that is silent. */
void link_tick(struct link *l);
/* fn gets each answer, arg is the link. */
void link_load_scripts(struct link *l, redisCallbackFn *fn);
/* Ends all calls that somebody waits for, as unanswered. */
void link_abandon(struct link *l);
/* Frees the connection, and the calls without a word. */
void link_close(struct link *l);

/* ---- handshake.c ---- */

/* As the events of a conn; arg is the link. */
void handshake_connected(struct conn *conn, void *arg);
void handshake_lost(struct conn *conn, const char *why, void *arg);

/* ---- health.c ---- */

struct health {
	struct check check;
	char *info; /* the last INFO */
	size_t info_len;
	bool was_checked, was_ready;
	int64_t check_at;
	bool is_late;       /* Redis's clock may not be where we think */
	char lost_why[256]; /* why there is no connection */
};

/* Takes the answer to TIME. */
void health_keep_time(struct store *s, const redisReply *time);
void health_keep_info(struct store *s, const redisReply *info);
/* Judges the last INFO and this answer to CONFIG GET. */
void health_judge(struct store *s, const redisReply *config);
/* Sends CONFIG GET of the settings that matter; arg is the link. */
void health_ask_config(struct link *l, redisCallbackFn *fn);
void health_tick(struct store *s);
/* Logs when the store became ready, or no longer is. */
void health_say(struct store *s);

struct store {
	struct loop *loop;
	const struct config *config;
	struct store_url url;
	struct link links[STORE_LINKS];
	struct listener *listener;
	struct loop_timer tick;
	struct instance instance;
	struct health health;
	int64_t offset_ms;
	unsigned partitions;
	struct {
		void *state;
		const struct store_part_kind *kind;
	} parts[STORE_PARTS];
};

#endif
