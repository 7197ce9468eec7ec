/* Receives what scripts publish. */
#include "server/redis/subscriber.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/link/command.h"
#include "server/redis/link/conn.h"
#include "server/redis/node.h"

struct subscriber {
	struct node *node;
	struct conn *conn;
};

static void doubt(const struct subscriber *s)
{
	if (s->node->shared->on_doubt)
		s->node->shared->on_doubt(s->node->shared->arg);
}

static void pass(const struct subscriptions *to, const redisReply *r)
{
	const char *channel = r->element[1]->str, *name = strrchr(channel, ':');
	unsigned partition = command_root_partition(channel);

	for (int i = 0; name && i < to->n; i++) {
		if (strcmp(name + 1, to->channels[i].name) != 0)
			continue;
		if (r->element[2]->type == REDIS_REPLY_STRING)
			to->channels[i].fn(partition, r->element[2]->str, r->element[2]->len,
					   to->channels[i].arg);
		else
			to->channels[i].fn(partition, NULL, 0, to->channels[i].arg);
	}
}

/* r: {"smessage", "pn:{pN}:wake", text}. The reply to SSUBSCRIBE has a number in place of the text.
 * A node that loses the slot of a channel sends "sunsubscribe". */
static void on_message(const redisReply *r, void *arg)
{
	struct subscriber *s = arg;

	/* An error such as LOADING or MOVED: reconnect and subscribe again. */
	if (r && r->type == REDIS_REPLY_ERROR) {
		doubt(s);
		conn_drop(s->conn, r->str);
		return;
	}
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 3 || !r->element[0]->str ||
	    !r->element[1]->str)
		return;
	if (strcmp(r->element[0]->str, "sunsubscribe") == 0) {
		doubt(s);
		subscriber_again(s);
		return;
	}
	pass(&s->node->shared->subscriptions, r);
	conn_is_fit(s->conn);
}

/* The channels of one partition. A cluster takes only channels of one slot in a command. */
static bool subscribe(struct subscriber *s, unsigned partition)
{
	const struct subscriptions *all = &s->node->shared->subscriptions;
	struct command c = {0};
	const char *bytes;
	size_t len;
	bool is_sent;

	command_start(&c, "SSUBSCRIBE");
	for (int i = 0; i < all->n; i++)
		command_key(&c, partition, "%s", all->channels[i].name);
	bytes = command_finish(&c, &len);
	is_sent = bytes && conn_listen(s->conn, bytes, len, on_message, s);
	command_deinit(&c);
	return is_sent;
}

static void on_connected(struct conn *conn, void *arg)
{
	struct subscriber *s = arg;
	unsigned partitions = s->node->shared->store.partitions.n;

	if (s->node->shared->subscriptions.n == 0)
		return;
	for (unsigned p = 0; p < partitions; p++) {
		if (node_owns(s->node, p) && !subscribe(s, p)) {
			conn_drop(conn, "out of memory");
			return;
		}
	}
}

static void on_lost(struct conn *conn, const char *why, void *arg)
{
	(void)conn;
	(void)why;
	(void)arg;
}

struct subscriber *subscriber_new(struct node *node)
{
	struct subscriber *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->node = node;
	s->conn = conn_new(node->shared->loop, &node->target,
			   &(struct conn_events){on_connected, on_lost, s});
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

/* conn connects again, and on_connected subscribes to all channels. */
void subscriber_again(struct subscriber *s)
{
	conn_drop(s->conn, "subscribe again");
}

void subscriptions_add(struct subscriptions *s, const char *name, channel_fn *fn, void *arg)
{
	assert(s->n < CHANNELS_MAX);
	snprintf(s->channels[s->n].name, sizeof(s->channels[0].name), "%s", name);
	s->channels[s->n].fn = fn;
	s->channels[s->n].arg = arg;
	s->n++;
}
