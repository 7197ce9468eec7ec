/* Hears what transitions publish. A publication may be lost with a connection: users look for
 * themselves after each new subscription, and now and then. */
#include "server/redis/subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/conn.h"
#include "server/redis/redis.h"

#define CHANNELS_MAX 4

struct subscriber {
	struct redis *redis;
	struct conn *conn;
	struct {
		char name[16];
		channel_fn *fn;
		void *arg;
	} channels[CHANNELS_MAX];
	int n;
};

static void on_message(redisAsyncContext *redis, void *reply, void *arg)
{
	struct subscriber *l = arg;
	const redisReply *r = reply;
	const char *name;

	(void)redis;
	if (r && r->type == REDIS_REPLY_ERROR) {
		conn_drop(l->conn, r->str); /* LOADING, say: subscribe anew */
		return;
	}
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 3 || !r->element[1]->str)
		return;
	name = strrchr(r->element[1]->str, ':');
	for (int i = 0; name && i < l->n; i++) {
		if (strcmp(name + 1, l->channels[i].name) != 0)
			continue;
		if (r->element[2]->type == REDIS_REPLY_STRING)
			l->channels[i].fn(r->element[2]->str, r->element[2]->len,
					  l->channels[i].arg);
		else
			l->channels[i].fn(NULL, 0, l->channels[i].arg);
	}
	conn_is_fit(l->conn);
}

static void on_connected(struct conn *conn, void *arg)
{
	struct subscriber *l = arg;
	struct command c = {0};
	const char *bytes;
	size_t len;

	if (l->n == 0)
		return;
	command_start(&c, "SUBSCRIBE");
	for (unsigned p = 0; p < redis_partitions(l->redis); p++)
		for (int i = 0; i < l->n; i++)
			command_key(&c, p, "%s", l->channels[i].name);
	bytes = command_finish(&c, &len);
	if (bytes)
		conn_send(conn, bytes, len, on_message, l);
	command_deinit(&c);
}

static void on_lost(struct conn *conn, const char *why, void *arg)
{
	(void)conn;
	(void)why;
	(void)arg;
}

struct subscriber *subscriber_new(struct redis *redis, const struct redis_url *url)
{
	struct subscriber *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->redis = redis;
	l->conn = conn_new(redis_loop(redis), url, &(struct conn_events){on_connected, on_lost, l});
	if (!l->conn) {
		free(l);
		return NULL;
	}
	return l;
}

void subscriber_free(struct subscriber *l)
{
	if (!l)
		return;
	conn_free(l->conn);
	free(l);
}

void subscriber_restart(struct subscriber *l)
{
	conn_drop(l->conn, "subscribes anew");
}

void subscriber_add(struct subscriber *l, const char *name, channel_fn *fn, void *arg)
{
	if (l->n == CHANNELS_MAX)
		abort();
	snprintf(l->channels[l->n].name, sizeof(l->channels[0].name), "%s", name);
	l->channels[l->n].fn = fn;
	l->channels[l->n].arg = arg;
	l->n++;
	subscriber_restart(l);
}
