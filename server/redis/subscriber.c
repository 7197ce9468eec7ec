/* Receives what scripts publish. */
#include "server/redis/subscriber.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/link/command.h"
#include "server/redis/link/conn.h"

#define CHANNELS_MAX 4

struct subscriber {
	struct conn *conn;
	unsigned partitions;
	struct {
		char name[16];
		channel_fn *fn;
		void *arg;
	} channels[CHANNELS_MAX];
	int n;
};

static void on_message(const redisReply *r, void *arg)
{
	struct subscriber *s = arg;
	const char *name;

	if (r && r->type == REDIS_REPLY_ERROR) {
		conn_drop(s->conn,
			  r->str); /* an error such as LOADING: reconnect and subscribe again */
		return;
	}
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 3 || !r->element[1]->str)
		return;
	/* r: {"message", "pn:{pN}:wake", text}. The reply to SUBSCRIBE has a number in place of
	 * the text. */
	name = strrchr(r->element[1]->str, ':');
	for (int i = 0; name && i < s->n; i++) {
		if (strcmp(name + 1, s->channels[i].name) != 0)
			continue;
		if (r->element[2]->type == REDIS_REPLY_STRING)
			s->channels[i].fn(r->element[2]->str, r->element[2]->len,
					  s->channels[i].arg);
		else
			s->channels[i].fn(NULL, 0, s->channels[i].arg);
	}
	conn_is_fit(s->conn);
}

static void on_connected(struct conn *conn, void *arg)
{
	struct subscriber *s = arg;
	struct command c = {0};
	const char *bytes;
	size_t len;

	if (s->n == 0)
		return;
	command_start(&c, "SUBSCRIBE");
	for (unsigned p = 0; p < s->partitions; p++)
		for (int i = 0; i < s->n; i++)
			command_key(&c, p, "%s", s->channels[i].name);
	bytes = command_finish(&c, &len);
	if (bytes)
		conn_listen(conn, bytes, len, on_message, s);
	command_deinit(&c);
}

static void on_lost(struct conn *conn, const char *why, void *arg)
{
	(void)conn;
	(void)why;
	(void)arg;
}

struct subscriber *subscriber_new(struct loop *loop, const struct conn_target *target)
{
	struct subscriber *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->partitions = 1;
	s->conn = conn_new(loop, target, &(struct conn_events){on_connected, on_lost, s});
	if (!s->conn) {
		free(s);
		return NULL;
	}
	return s;
}

void subscriber_free(struct subscriber *s)
{
	if (!s)
		return;
	conn_free(s->conn);
	free(s);
}

void subscriber_set_partitions(struct subscriber *s, unsigned partitions)
{
	s->partitions = partitions;
	/* conn connects again, and on_connected subscribes to all channels. */
	conn_drop(s->conn, "subscribe again");
}

void subscriber_add(struct subscriber *s, const char *name, channel_fn *fn, void *arg)
{
	assert(s->n < CHANNELS_MAX);
	snprintf(s->channels[s->n].name, sizeof(s->channels[0].name), "%s", name);
	s->channels[s->n].fn = fn;
	s->channels[s->n].arg = arg;
	s->n++;
	conn_drop(s->conn, "subscribe again");
}
