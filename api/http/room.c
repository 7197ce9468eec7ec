/* Counts connections by client address, and decides which one ends when there is no room. */
#include "api/http/room.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/peer.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/config/networks.h"

struct client {
	struct client *next;          /* of its chain */
	struct client *above, *below; /* of its level: clients with as many waiting connections */
	uint8_t address[NETWORKS_ADDRESS];
	bool is_trusted;
	size_t n_peers;
	size_t n_waiting;
	struct peer *oldest, *newest; /* of those that wait */
};

struct level {
	struct client *first, *last;
};

struct room {
	struct client **chains;
	size_t n_chains; /* a power of two */
	uint64_t seed[2];
	struct level *levels;  /* [n]: clients with n waiting connections, without trusted ones */
	size_t top;            /* no higher level has a client */
	struct client trusted; /* all trusted proxies together */
	size_t n_peers;
	/* Since the last report. crowd: the client with the most waiting connections when one of
	 * its connections ended, or it was refused one. */
	uint64_t n_ended, n_refused;
	uint8_t crowd[NETWORKS_ADDRESS];
	size_t n_crowd;
	bool is_crowd_known;
};

int room_init(struct http_server *s)
{
	struct room *room = calloc(1, sizeof(*room));
	size_t most = s->connections_max;

	if (!room)
		return -1;
	s->room = room;
	random_bytes(room->seed, sizeof(room->seed));
	room->trusted.is_trusted = true;
	for (room->n_chains = 1; room->n_chains < most;)
		room->n_chains *= 2;
	room->chains = calloc(room->n_chains, sizeof(struct client *));
	room->levels = calloc(most + 1, sizeof(struct level));
	return room->chains && room->levels ? 0 : -1;
}

void room_deinit(struct http_server *s)
{
	if (!s->room)
		return;
	free(s->room->chains);
	free(s->room->levels);
	free(s->room);
	s->room = NULL;
}

/* ---- clients ---- */

static struct client **chain_of(const struct room *room, const uint8_t address[NETWORKS_ADDRESS])
{
	uint64_t parts[2], hash;

	memcpy(parts, address, sizeof(parts));
	hash = (parts[0] ^ room->seed[0]) * (room->seed[1] | 1);
	hash = ((hash ^ hash >> 32) + parts[1]) * (room->seed[0] | 1);
	return &room->chains[(hash ^ hash >> 32) & (room->n_chains - 1)];
}

static bool is_trusted(const struct http_server *s, const struct sockaddr *from)
{
	uint8_t address[NETWORKS_ADDRESS];

	return networks_address(from, address) &&
	       networks_have(s->api->config->trusted_proxies, address);
}

/* NULL: it has no connection. */
static struct client *find_client(struct http_server *s, const struct sockaddr *from)
{
	uint8_t address[NETWORKS_ADDRESS] = {0};
	struct client *c;

	networks_client(from, address);
	for (c = *chain_of(s->room, address); c; c = c->next)
		if (memcmp(c->address, address, sizeof(address)) == 0)
			return c;
	return NULL;
}

static void leave_level(struct room *room, struct client *c)
{
	struct level *level = &room->levels[c->n_waiting];

	*(c->above ? &c->above->below : &level->first) = c->below;
	*(c->below ? &c->below->above : &level->last) = c->above;
}

static void enter_level(struct room *room, struct client *c)
{
	struct level *level = &room->levels[c->n_waiting];

	c->above = level->last;
	c->below = NULL;
	*(c->above ? &c->above->below : &level->first) = c;
	level->last = c;
	if (c->n_waiting > room->top)
		room->top = c->n_waiting;
}

static struct client *new_client(struct http_server *s, const struct sockaddr *from)
{
	struct client *c = calloc(1, sizeof(*c));
	struct client **chain;

	if (!c)
		return NULL;
	networks_client(from, c->address);
	chain = chain_of(s->room, c->address);
	c->next = *chain;
	*chain = c;
	enter_level(s->room, c);
	return c;
}

static void free_client(struct room *room, struct client *c)
{
	struct client **at = chain_of(room, c->address);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	leave_level(room, c);
	free(c);
}

/* ---- connections that wait ---- */

static void set_waiting(struct room *room, struct client *c, size_t n)
{
	if (!c->is_trusted)
		leave_level(room, c);
	c->n_waiting = n;
	if (!c->is_trusted)
		enter_level(room, c);
}

static void start_waiting(struct peer *p)
{
	struct client *c = p->client;

	p->older = c->newest;
	p->newer = NULL;
	*(p->older ? &p->older->newer : &c->oldest) = p;
	c->newest = p;
	p->is_waiting = true;
	set_waiting(p->server->room, c, c->n_waiting + 1);
}

static void stop_waiting(struct peer *p)
{
	struct client *c = p->client;

	*(p->older ? &p->older->newer : &c->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &c->newest) = p->older;
	p->is_waiting = false;
	set_waiting(p->server->room, c, c->n_waiting - 1);
}

static bool waits(const struct peer *p)
{
	switch (p->phase) {
	case PEER_FRESH:
	case PEER_IDLE:
	case PEER_HEAD:
		return true;
	case PEER_SENDING:
		return !p->has_key;
	case PEER_BODY:
	case PEER_WORK:
	case PEER_DOOMED:
		break;
	}
	return false;
}

int room_enter(struct peer *p, const struct sockaddr *from)
{
	struct http_server *s = p->server;
	struct client *c = &s->room->trusted;

	if (!is_trusted(s, from)) {
		c = find_client(s, from);
		if (!c && !(c = new_client(s, from)))
			return -1;
	}
	p->client = c;
	c->n_peers++;
	s->room->n_peers++;
	start_waiting(p);
	return 0;
}

void room_update(struct peer *p)
{
	bool is_waiting = waits(p);

	if (!p->client || is_waiting == p->is_waiting)
		return;
	if (is_waiting)
		start_waiting(p);
	else
		stop_waiting(p);
}

void room_leave(struct peer *p)
{
	struct client *c = p->client;

	if (!c)
		return;
	if (p->is_waiting)
		stop_waiting(p);
	p->client = NULL;
	c->n_peers--;
	p->server->room->n_peers--;
	if (c->n_peers == 0 && !c->is_trusted)
		free_client(p->server->room, c);
}

/* ---- making room ---- */

static struct peer *choose_victim(struct room *room)
{
	while (room->top > 0 && !room->levels[room->top].first)
		room->top--;
	return room->top > 0 ? room->levels[room->top].first->oldest : room->trusted.oldest;
}

static void note_crowd(struct room *room, const struct client *c)
{
	if (c->is_trusted || (room->is_crowd_known && c->n_waiting <= room->n_crowd))
		return;
	memcpy(room->crowd, c->address, sizeof(room->crowd));
	room->n_crowd = c->n_waiting;
	room->is_crowd_known = true;
}

static const char *end_one(struct http_server *s, struct peer *victim, const char *reason)
{
	if (!victim) {
		s->room->n_refused++;
		metric_add(METRIC_HTTP_REFUSED, 1);
		return reason;
	}
	s->room->n_ended++;
	note_crowd(s->room, victim->client);
	metric_add(METRIC_HTTP_ENDED, 1);
	peer_shut(victim);
	engine_wake(s);
	return NULL;
}

const char *room_make(struct http_server *s, const struct sockaddr *from)
{
	struct room *room = s->room;
	const struct client *c = is_trusted(s, from) ? NULL : find_client(s, from);

	if (c && c->n_peers >= s->connections_per_address) {
		note_crowd(room, c);
		return end_one(s, c->oldest, "Too many connections from this address.");
	}
	if (room->n_peers >= s->connections_max)
		return end_one(s, choose_victim(room), "Too many connections.");
	return NULL;
}

/* "" if no client is known: all were trusted proxies, or no connection waited. */
static const char *crowd_address(const struct room *room, char text[INET6_ADDRSTRLEN])
{
	static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *address = room->crowd;

	*text = 0;
	if (room->is_crowd_known && memcmp(address, v4_prefix, sizeof(v4_prefix)) == 0)
		inet_ntop(AF_INET, address + sizeof(v4_prefix), text, INET6_ADDRSTRLEN);
	else if (room->is_crowd_known)
		inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
	return text;
}

void room_report(struct http_server *s)
{
	struct room *room = s->room;
	char address[INET6_ADDRSTRLEN];
	const char *most_from;

	if (!room->n_ended && !room->n_refused)
		return;
	most_from = crowd_address(room, address);
	LOG(LOG_WARN, "http.crowded", LOG_N("ended", room->n_ended),
	    LOG_N("refused", room->n_refused), LOG_N("connections", room->n_peers),
	    LOG_S("most_from", most_from));
	room->n_ended = room->n_refused = 0;
	room->is_crowd_known = false;
}
