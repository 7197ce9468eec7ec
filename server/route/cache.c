/* A bounded map from domain to the finding for it. */
#include "server/route/cache.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define PACK_MAX 4096 /* key 254, site 256, hosts 5 * (2 + 1 + 28 + 254), or a failure's text */

struct entry {
	struct entry *chain;
	struct entry *newer, *older;
	uint64_t hash;
	int64_t expires_ms;
	bool is_route;
	bool is_permanent;
	uint8_t n_hosts;
	unsigned char bytes[]; /* key NUL, then site NUL and the hosts, or the failure's text NUL */
};

struct cache {
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t n, max;
	uint64_t seed;
};

struct cache *cache_new(size_t max_entries)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->max = max_entries;
	/* A random seed: nobody can choose domains that share a bucket. */
	arc4random_buf(&c->seed, sizeof(c->seed));
	return c;
}

uint64_t cache_hash(const struct cache *c, const char *key)
{
	uint64_t hash = c->seed;

	for (; *key; key++) {
		hash = (hash ^ (unsigned char)*key) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return hash;
}

static void unlink_age(struct cache *c, struct entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		c->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		c->oldest = e->newer;
}

static void link_newest(struct cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	if (c->newest)
		c->newest->newer = e;
	else
		c->oldest = e;
	c->newest = e;
}

static void drop(struct cache *c, struct entry *e)
{
	struct entry **at = &c->buckets[e->hash % BUCKETS];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	unlink_age(c, e);
	c->n--;
	free(e);
}

static struct entry *find(const struct cache *c, uint64_t hash, const char *key)
{
	struct entry *e = c->buckets[hash % BUCKETS];

	while (e && (e->hash != hash || strcmp((const char *)e->bytes, key) != 0))
		e = e->chain;
	return e;
}

static void pack(unsigned char **at, const void *bytes, size_t len)
{
	memcpy(*at, bytes, len);
	*at += len;
}

static void unpack(const unsigned char **at, void *bytes, size_t len)
{
	memcpy(bytes, *at, len);
	*at += len;
}

static void pack_text(unsigned char **at, const char *text)
{
	pack(at, text, strlen(text) + 1);
}

static void unpack_text(const unsigned char **at, char *text)
{
	unpack(at, text, strlen((const char *)*at) + 1);
}

static size_t addr_len(sa_family_t family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static size_t pack_all(unsigned char bytes[PACK_MAX], const char *key, const struct finding *f)
{
	unsigned char *at = bytes;

	pack_text(&at, key);
	if (!f->is_route) {
		pack_text(&at, f->failure.text);
		return (size_t)(at - bytes);
	}
	pack_text(&at, f->route.site);
	for (size_t i = 0; i < f->route.n_hosts; i++) {
		const struct route_host *host = &f->route.hosts[i];
		sa_family_t family = host->addr.ss_family;

		pack(&at, &f->ranks[i], sizeof(f->ranks[i]));
		pack(&at, &family, sizeof(family));
		pack(&at, &host->addr, addr_len(family));
		pack_text(&at, host->name);
	}
	return (size_t)(at - bytes);
}

static void unpack_hosts(const unsigned char *at, struct finding *out)
{
	unpack_text(&at, out->route.site);
	for (size_t i = 0; i < out->route.n_hosts; i++) {
		struct route_host *host = &out->route.hosts[i];
		sa_family_t family;

		unpack(&at, &out->ranks[i], sizeof(out->ranks[i]));
		unpack(&at, &family, sizeof(family));
		memset(&host->addr, 0, sizeof(host->addr));
		host->addr_len = (socklen_t)addr_len(family);
		unpack(&at, &host->addr, host->addr_len);
		unpack_text(&at, host->name);
	}
}

void cache_put(struct cache *c, const char *key, const struct finding *f, int64_t expires_ms)
{
	unsigned char bytes[PACK_MAX];
	size_t len = pack_all(bytes, key, f);
	uint64_t hash = cache_hash(c, key);
	struct entry *e = find(c, hash, key);

	if (e)
		drop(c, e);
	/* The entry that was not used for the longest time goes first. */
	while (c->oldest && c->n >= c->max)
		drop(c, c->oldest);
	e = malloc(sizeof(*e) + len);
	if (!e)
		return;
	*e = (struct entry){.chain = c->buckets[hash % BUCKETS],
			    .hash = hash,
			    .expires_ms = expires_ms,
			    .is_route = f->is_route,
			    .is_permanent = f->failure.is_permanent,
			    .n_hosts = (uint8_t)f->route.n_hosts};
	memcpy(e->bytes, bytes, len);
	c->buckets[hash % BUCKETS] = e;
	link_newest(c, e);
	c->n++;
}

bool cache_get(struct cache *c, const char *key, int64_t now_ms, struct finding *out)
{
	struct entry *e = find(c, cache_hash(c, key), key);
	const unsigned char *at;

	if (!e)
		return false;
	/* Expired entries that nobody asks for go when the cache is full. */
	if (e->expires_ms <= now_ms) {
		drop(c, e);
		return false;
	}
	/* Used now: the last to go. */
	unlink_age(c, e);
	link_newest(c, e);
	at = e->bytes + strlen((const char *)e->bytes) + 1;
	out->is_route = e->is_route;
	out->failure.is_permanent = e->is_permanent;
	out->route.n_hosts = e->n_hosts;
	if (e->is_route)
		unpack_hosts(at, out);
	else
		unpack_text(&at, out->failure.text);
	return true;
}

void cache_free(struct cache *c)
{
	struct entry *e = c ? c->newest : NULL;

	while (e) {
		struct entry *older = e->older;

		free(e);
		e = older;
	}
	free(c);
}
