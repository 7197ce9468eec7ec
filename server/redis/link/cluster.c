/* Asks the nodes of a Redis Cluster for the map of its slots. */
#include "server/redis/link/cluster.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "server/redis/link/command.h"
#include "server/redis/link/question.h"

#define WATCH_MS 5000
#define SOON_MS 20
#define SOON_MAX_MS 1000
#define CALM_MS 2000 /* without a question: the next refresh is after SOON_MS again */
#define HOSTS_MAX 64 /* that are asked in one round */

struct cluster {
	const struct redis_url *url;
	struct question question;
	struct cluster_events events;
	struct loop_timer timer; /* the next round */
	bool is_soon;            /* the timer runs for a refresh */
	long soon_ms;            /* delay of the next refresh; grows with each one */
	int64_t asked_ms;        /* monotonic; the start of the last round */
	struct redis_host hosts[HOSTS_MAX];
	unsigned n_hosts, first;
	struct slot_map map; /* the best one of this round, or the last one */
	bool has_map;        /* this round has one */
	char why[300];       /* what is wrong with the cluster, by the node that sent the map */
	bool is_down;        /* the node that is asked says so */
};

static void plan(struct cluster *c, bool is_well)
{
	c->is_soon = false;
	loop_timer_set(&c->timer, is_well ? WATCH_MS : SOON_MAX_MS);
}

static void end_round(struct cluster *c)
{
	plan(c, !*c->why);
	c->events.on_map(&c->map, *c->why ? c->why : NULL, c->events.arg);
}

static void judge(struct cluster *c, const struct slot_map *map)
{
	c->why[0] = 0;
	if (c->is_down && map->n_missing)
		snprintf(c->why, sizeof(c->why),
			 "the cluster is down: %u of its %d slots have no primary (CLUSTER SLOTS)",
			 map->n_missing, SLOTS);
	else if (c->is_down)
		snprintf(c->why, sizeof(c->why),
			 "the cluster is down (CLUSTER INFO): a primary is away and has no "
			 "replica, or most primaries are away. Other partitions go on only with "
			 "cluster-require-full-coverage no");
}

static void on_slots(const redisReply *r, void *arg)
{
	struct question *q = arg;
	struct cluster *c;
	struct slot_map map;
	struct err e;

	if (!r)
		return; /* question_next() follows, or cluster_free */
	c = q->arg;
	if (r->type == REDIS_REPLY_ERROR) {
		if (strstr(r->str, "cluster support disabled"))
			question_next(q, "this Redis is not in cluster mode: write redis:// in "
					 "POSTERN_REDIS_URL");
		else
			question_refused(q, r->str);
		return;
	}
	if (slot_map_read(&map, r, question_host(q), &e) < 0) {
		question_next(q, e.text);
		return;
	}
	if (!c->has_map || !c->is_down) {
		judge(c, &map);
		slot_map_free(&c->map);
		c->map = map;
		c->has_map = true;
		c->first = q->at;
	} else {
		slot_map_free(&map);
	}
	if (c->is_down) {
		question_next(q, "the cluster is down");
		return;
	}
	question_end(q);
	end_round(c);
}

/* An error, such as NOAUTH, comes again as the reply to CLUSTER SLOTS. */
static void on_info(const redisReply *r, void *arg)
{
	struct question *q = arg;

	if (r)
		((struct cluster *)q->arg)->is_down =
			r->str && strstr(r->str, "cluster_state:fail");
}

static void ask(struct question *q)
{
	struct command info = {0}, slots = {0};

	command_start(&info, "CLUSTER");
	command_str(&info, "INFO");
	command_start(&slots, "CLUSTER");
	command_str(&slots, "SLOTS");
	if (question_send(q, &info, on_info))
		(void)question_send(q, &slots, on_slots);
	command_deinit(&slots);
}

static void on_no_more(struct question *q, const char *why)
{
	struct cluster *c = q->arg;

	if (c->has_map) {
		end_round(c);
		return;
	}
	plan(c, false);
	c->first++;
	c->events.on_failed(why, c->events.arg);
}

static const struct question_kind kind = {
	.server = "node", .has_our_password = true, .ask = ask, .on_failed = on_no_more};

/* ---- rounds ---- */

static void add_host(struct cluster *c, const struct redis_host *host)
{
	for (unsigned i = 0; i < c->n_hosts; i++)
		if (redis_host_is(&c->hosts[i], host))
			return;
	if (c->n_hosts < HOSTS_MAX)
		c->hosts[c->n_hosts++] = *host;
}

/* The primaries come before the hosts of the URL. Each round starts at another one, so that a node
 * that is cut off from the others, and does not know it yet, is not asked each time. */
static void start_round(void *arg)
{
	struct cluster *c = arg;

	if (c->question.is_open)
		return;
	c->n_hosts = 0;
	for (unsigned i = 0; i < c->map.n_primaries; i++)
		add_host(c, &c->map.primaries[i]);
	for (unsigned i = 0; i < c->url->n_hosts; i++)
		add_host(c, &c->url->hosts[i]);
	c->has_map = false;
	c->asked_ms = clock_mono_ms();
	question_start(&c->question, c->hosts, c->n_hosts, c->first + 1);
}

const struct slot_map *cluster_map(const struct cluster *c)
{
	return &c->map;
}

void cluster_refresh(struct cluster *c)
{
	if (c->is_soon || c->question.is_open)
		return;
	if (clock_mono_ms() - c->asked_ms > CALM_MS)
		c->soon_ms = SOON_MS;
	c->is_soon = true;
	loop_timer_set(&c->timer, c->soon_ms);
	c->soon_ms = c->soon_ms * 2 > SOON_MAX_MS ? SOON_MAX_MS : c->soon_ms * 2;
}

struct cluster *cluster_new(struct loop *loop, const struct redis_url *url, struct tls_context *tls,
			    const struct cluster_events *events)
{
	struct cluster *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->url = url;
	c->events = *events;
	c->soon_ms = SOON_MS;
	if (question_init(&c->question, loop, url, tls, &kind, c) < 0 ||
	    loop_timer_init(&c->timer, loop, start_round, c) < 0) {
		cluster_free(c);
		return NULL;
	}
	loop_timer_set(&c->timer, 0);
	return c;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	question_deinit(&c->question);
	loop_timer_deinit(&c->timer);
	slot_map_free(&c->map);
	free(c);
}
