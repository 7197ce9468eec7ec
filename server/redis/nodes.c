/* The Redis servers of a store, and their partitions. */
#include "server/redis/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/redis/link/cluster.h"
#include "server/redis/link/redis_tls.h"
#include "server/stream/tls.h"

#define REFUSED_MS 1000 /* a partition counts as refused for this long after a refusal */
#define UNOWNED_MS 1000 /* then a node that owns nothing is freed */
#define LIST_TEXT_MAX 160

struct node *nodes_owner(const struct nodes *n, unsigned partition)
{
	return n->shared.owners[node_root(partition)];
}

/* ---- changes of owners ---- */

struct target {
	const struct nodes *nodes;
	unsigned connection;
};

static struct calls *calls_of_owner(unsigned partition, void *arg)
{
	const struct target *t = arg;
	struct node *owner = nodes_owner(t->nodes, partition);

	return t->connection == NODE_BULK ? node_bulk(owner) : &owner->calls[t->connection];
}

static void move_calls(struct nodes *n, struct node *from)
{
	for (unsigned i = 0; i < NODE_CONNECTIONS; i++)
		calls_move(&from->calls[i], calls_of_owner, &(struct target){n, i});
}

/* Call it after owners have changed. */
static void spread(struct nodes *n)
{
	char list[LIST_TEXT_MAX];

	for (struct node *node = n->first; node; node = node->next) {
		move_calls(n, node);
		if (!node->has_changed)
			continue;
		node->has_changed = false;
		node_subscribe(node);
		node_write_partitions(node, list, sizeof(list));
		LOG_ONCE(LOG_INFO, "store.partitions_moved",
			 LOG_B("node", node->health.node, strlen(node->health.node)),
			 LOG_B("partitions", list, strlen(list)));
	}
	move_calls(n, n->absent);
}

static void set_owner(struct nodes *n, unsigned partition, struct node *node)
{
	struct node **owner = &n->shared.owners[node_root(partition)];

	if (*owner == node)
		return;
	(*owner)->has_changed = node->has_changed = true;
	*owner = node;
	/* A handshake under way may have passed this step. A later one sets up all. */
	if (partition != REDIS_GLOBAL &&
	    (node->calls[0].is_up || node->handshakes[0].steps_left > 0))
		node_init_partition(node, partition);
}

/* Out of memory: nobody owns it until the next map. */
static struct node *node_at(struct nodes *n, const struct redis_host *host)
{
	struct node *node = n->first;

	while (node && !redis_host_is(&node->host, host))
		node = node->next;
	if (node)
		return node;
	node = node_new(&n->shared, host);
	if (!node)
		return n->absent;
	node->next = n->first;
	n->first = node;
	return node;
}

static void follow_map(struct nodes *n, const struct slot_map *map, unsigned partition)
{
	const struct redis_host *host = slot_map_primary(map, n->slots[node_root(partition)]);

	set_owner(n, partition, host ? node_at(n, host) : n->absent);
}

/* Before the number of partitions is known, only the node with `meta` is connected. */
static void use_map(struct nodes *n, const struct slot_map *map)
{
	if (n->n_placed < n->shared.store.partitions.n)
		n->n_placed = n->shared.store.partitions.n;
	follow_map(n, map, REDIS_GLOBAL);
	for (unsigned p = 0; p < n->n_placed; p++)
		follow_map(n, map, p);
	spread(n);
}

void nodes_place(struct nodes *n, unsigned partition)
{
	if (!n->cluster || partition < n->n_placed)
		return;
	n->n_placed = partition + 1;
	use_map(n, cluster_map(n->cluster));
}

/* ---- events ---- */

static void set_state(struct nodes *n, bool is_down, const char *why)
{
	bool was_down = n->is_down, has_changed = strcmp(n->why, why) != 0;

	n->is_down = is_down;
	snprintf(n->why, sizeof(n->why), "%s", why);
	if (is_down && has_changed)
		LOG_ONCE(LOG_ERROR, "store.cluster_down", LOG_B("reason", why, strlen(why)));
	else if (*why && has_changed)
		LOG_ONCE(LOG_WARN, "store.cannot_connect", LOG_B("reason", why, strlen(why)));
	else if (was_down && !is_down)
		LOG_ONCE(LOG_INFO, "store.cluster_up", {NULL, NULL, 0, 0});
}

static void on_map(const struct slot_map *map, const char *why, void *arg)
{
	struct nodes *n = arg;

	set_state(n, why, why ? why : "");
	use_map(n, map);
}

/* The connections that there are may still work. */
static void on_no_map(const char *why, void *arg)
{
	struct nodes *n = arg;
	char text[sizeof(n->why)];

	snprintf(text, sizeof(text), "no node of the Redis Cluster can be asked for its slots: %s",
		 why);
	set_state(n, false, text);
}

static void on_partitions(void *arg)
{
	struct nodes *n = arg;

	if (n->cluster)
		use_map(n, cluster_map(n->cluster));
	else
		node_subscribe(n->first);
}

static void on_doubt(void *arg)
{
	struct nodes *n = arg;

	if (n->cluster)
		cluster_refresh(n->cluster);
}

static void follow_moved(struct nodes *n, unsigned partition, const struct redis_host *to)
{
	uint16_t slot = n->slots[node_root(partition)];
	struct node *node = node_at(n, to);

	if (n->slots[node_root(REDIS_GLOBAL)] == slot)
		set_owner(n, REDIS_GLOBAL, node);
	for (unsigned p = 0; p < n->n_placed; p++)
		if (n->slots[p] == slot)
			set_owner(n, p, node);
	spread(n);
}

static void on_redirect(const struct node *node, unsigned partition, const char *error)
{
	struct nodes *n = node->shared->arg;
	struct redis_host to;

	cluster_refresh(n->cluster);
	if (strncmp(error, "MOVED ", 6) == 0 && slot_redirect_read(error, &node->host, &to) == 0)
		follow_moved(n, partition, &to);
	else
		n->refused_at[node_root(partition)] = clock_mono_ms();
}

/* ---- state ---- */

bool nodes_partition_is_ready(const struct nodes *n, unsigned partition, const char **why)
{
	const struct node *owner = nodes_owner(n, partition);

	if (!n->is_down && owner != n->absent)
		return health_is_ready(&owner->health, why);
	/* Before the number of partitions is known, only the node with `meta` is connected. */
	if (!*n->why && !n->shared.store.partitions.n && partition != REDIS_GLOBAL)
		(void)nodes_partition_is_ready(n, REDIS_GLOBAL, why);
	else if (why)
		*why = *n->why ? n->why : "no primary of the Redis Cluster has its slot";
	return false;
}

bool nodes_partition_is_connected(const struct nodes *n, unsigned partition)
{
	return !n->is_down && health_is_connected(&nodes_owner(n, partition)->health);
}

bool nodes_partition_is_open(const struct nodes *n, unsigned partition)
{
	int64_t refused_at = n->refused_at[node_root(partition)];

	return nodes_partition_is_ready(n, partition, NULL) &&
	       (!refused_at || clock_mono_ms() - refused_at > REFUSED_MS);
}

static void write_refusing(const struct nodes *n, const struct node *node, struct buf *out)
{
	char list[LIST_TEXT_MAX];
	unsigned partition = REDIS_GLOBAL;
	const char *why = NULL;

	for (unsigned p = 0; p < n->shared.store.partitions.n && partition == REDIS_GLOBAL; p++)
		if (node_owns(node, p))
			partition = p;
	if (!node_owns(node, partition) || nodes_partition_is_ready(n, partition, &why))
		return;
	node_write_partitions(node, list, sizeof(list));
	buf_fmt(out, "%s%s%s%s%s refuse requests: %s", out->len ? "; " : "",
		*list ? "partitions " : "", list,
		*list && node_owns(node, REDIS_GLOBAL) ? ", " : "",
		node_owns(node, REDIS_GLOBAL) ? "keys and projects" : "", why);
}

bool nodes_write_refusing(const struct nodes *n, struct buf *out)
{
	for (const struct node *node = n->first; node; node = node->next)
		write_refusing(n, node, out);
	write_refusing(n, n->absent, out);
	return out->len > 0;
}

void nodes_write_metrics(const struct nodes *n, struct buf *out)
{
	buf_str(out, "# HELP postern_store_partition_ready 1 while the partition takes mail; node "
		     "is its primary in the Redis Cluster\n"
		     "# TYPE postern_store_partition_ready gauge\n");
	for (unsigned p = 0; p < n->shared.store.partitions.n; p++)
		buf_fmt(out, "postern_store_partition_ready{partition=\"%u\",node=\"%s\"} %d\n", p,
			nodes_owner(n, p)->health.node, nodes_partition_is_ready(n, p, NULL));
}

/* ---- timer ---- */

/* A node that owns nothing. Its calls go to the new owners, also those that wait for its reply: it
 * may hang. */
static void retire(struct nodes *n, struct node **at)
{
	struct node *node = *at;

	node_disconnect(node);
	move_calls(n, node);
	*at = node->next;
	node_free(node);
}

void nodes_tick(struct nodes *n)
{
	int64_t now = clock_mono_ms();
	struct node *next;

	for (struct node *node = n->first; node; node = next) {
		next = node->next;
		node_tick(node);
	}
	node_tick(n->absent);
	for (struct node **at = &n->first; *at;) {
		if (node_owns_any(*at))
			(*at)->owned_at = now;
		if (now - (*at)->owned_at > UNOWNED_MS)
			retire(n, at);
		else
			at = &(*at)->next;
	}
}

/* ---- life ---- */

static void set_slots(struct nodes *n)
{
	char root[COMMAND_ROOT_MAX];

	for (unsigned p = 0; p < ID_PARTITIONS; p++)
		n->slots[p] = (uint16_t)slot_of_key(root, command_root(p, root));
	n->slots[node_root(REDIS_GLOBAL)] =
		(uint16_t)slot_of_key(root, command_root(REDIS_GLOBAL, root));
}

static int start(struct nodes *n)
{
	struct node *owner;

	n->absent = node_new_absent(&n->shared);
	if (!n->absent)
		return -1;
	owner = n->absent;
	if (n->url.is_cluster) {
		set_slots(n);
		snprintf(n->why, sizeof(n->why), "Redis is not connected yet");
		n->cluster = cluster_new(n->shared.loop, &n->url, n->shared.target.tls,
					 &(struct cluster_events){on_map, on_no_map, n});
	} else {
		owner = n->first = node_new(&n->shared, NULL);
	}
	for (unsigned root = 0; root < NODE_ROOTS; root++)
		n->shared.owners[root] = owner;
	return n->cluster || n->first ? 0 : -1;
}

int nodes_open(struct nodes *n, struct loop *loop, const struct config *config, bool has_subscriber,
	       struct err *e)
{
	struct node_shared *shared = &n->shared;

	*n = (struct nodes){0};
	*shared = (struct node_shared){
		.loop = loop,
		.config = config,
		.target = {.url = &n->url},
		.store = {.config = config, .on_partitions = on_partitions, .arg = n},
		.has_subscriber = has_subscriber,
		.on_doubt = on_doubt,
		.arg = n,
	};
	if (redis_url_parse(config, &n->url, e) < 0 ||
	    redis_tls_load(config, &n->url, &shared->target.tls, e) < 0 ||
	    instance_load(&shared->store.instance, config->data_dir, e) < 0)
		return -1;
	if (n->url.is_cluster)
		shared->on_redirect = on_redirect;
	return start(n) < 0 ? err_oom(e) : 0;
}

void nodes_close(struct nodes *n)
{
	struct node *next;

	cluster_free(n->cluster);
	for (struct node *node = n->first; node; node = next) {
		next = node->next;
		node_free(node);
	}
	node_free(n->absent);
	tls_context_free(n->shared.target.tls);
	explicit_bzero(n, sizeof(*n));
}
