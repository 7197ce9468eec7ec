/* One Redis server with its connections. */
#include "server/redis/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"

static int open_connection(struct node *n, unsigned i)
{
	struct handshake *h = &n->handshakes[i];

	*h = (struct handshake){.node = n, .calls = &n->calls[i], .number = i};
	h->calls->is_bulk = i == NODE_BULK;
	h->calls->conn = conn_new(n->shared->loop, &n->target,
				  &(struct conn_events){handshake_connected, handshake_lost, h});
	return h->calls->conn ? 0 : -1;
}

static void on_redirect(unsigned partition, const char *error, void *arg)
{
	const struct node *n = arg;

	n->shared->on_redirect(n, partition, error);
}

struct node *node_new_absent(struct node_shared *shared)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->shared = shared;
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		if (shared->on_redirect)
			n->calls[i].redirect = (struct calls_redirect){on_redirect, n};
	n->owned_at = clock_mono_ms();
	health_init(&n->health, shared->config, &shared->store.instance, n->calls);
	return n;
}

static int open_all(struct node *n)
{
	for (unsigned i = 0; i < HEALTH_CONNECTIONS; i++)
		if (open_connection(n, i) < 0)
			return -1;
	if (!n->shared->has_subscriber)
		return 0;
	n->subscriber = subscriber_new(n);
	return n->subscriber ? 0 : -1;
}

struct node *node_new(struct node_shared *shared, const struct redis_host *host)
{
	struct node *n = node_new_absent(shared);

	if (!n)
		return NULL;
	n->target = shared->target;
	if (host) {
		n->host = *host;
		n->target.node = &n->host;
		redis_host_text(host, n->health.node);
	}
	if (open_all(n) == 0)
		return n;
	node_free(n);
	return NULL;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	subscriber_free(n->subscriber);
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		calls_close(&n->calls[i]);
	health_deinit(&n->health);
	free(n);
}

/* ---- roots ---- */

bool node_owns(const struct node *n, unsigned partition)
{
	return n->shared->owners[node_root(partition)] == n;
}

bool node_owns_any(const struct node *n)
{
	for (unsigned root = 0; root < NODE_ROOTS; root++)
		if (n->shared->owners[root] == n)
			return true;
	return false;
}

void node_write_partitions(const struct node *n, char *out, size_t size)
{
	unsigned partitions = n->shared->store.partitions.n, last;
	size_t len = 0;

	*out = 0;
	for (unsigned p = 0; p < partitions && len < size; p = last + 1) {
		last = p;
		if (!node_owns(n, p))
			continue;
		while (last + 1 < partitions && node_owns(n, last + 1))
			last++;
		len += (size_t)snprintf(out + len, size - len, "%s%u", len ? ", " : "", p);
		if (last > p && len < size)
			len += (size_t)snprintf(out + len, size - len, "-%u", last);
	}
}

struct init {
	struct node_shared *shared;
	unsigned partition;
};

/* A partition that is refused ends the connection. The next handshake gives the reason. */
static void on_init(const struct call_result *result, void *context)
{
	const struct init *init = context;
	struct node *owner = init->shared->owners[node_root(init->partition)];
	struct err why;

	if (result->end == CALL_ANSWERED && owner->calls[0].conn &&
	    handshake_take_partition(init->shared, result->reply, &why) < 0)
		calls_reconnect(&owner->calls[0], why.text);
}

void node_init_partition(struct node *n, unsigned partition)
{
	struct init init = {n->shared, partition};
	struct command c = {0};

	handshake_init_partition(&c, &n->shared->store, partition);
	calls_add(&n->calls[0], &c, 0, CALLBACK_COPY(on_init, init));
}

void node_subscribe(struct node *n)
{
	if (n->subscriber)
		subscriber_again(n->subscriber);
}

/* ---- connections ---- */

struct calls *node_bulk(struct node *n)
{
	struct calls *bulk = &n->calls[NODE_BULK];

	if (!bulk->conn && n->calls[0].conn)
		(void)open_connection(n, NODE_BULK); /* out of memory: the next call tries again */
	return bulk;
}

void node_abandon(struct node *n)
{
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		calls_abandon(&n->calls[i]);
}

void node_tick(struct node *n)
{
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		calls_tick(&n->calls[i]);
	health_tick(&n->health);
}

void node_disconnect(struct node *n)
{
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		if (n->calls[i].conn)
			conn_drop(n->calls[i].conn, "the node has no partition any more");
}
