#ifndef SERVER_ROUTE_CACHE_H
#define SERVER_ROUTE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/lookup.h"

/* A cache from domain to the finding of its lookup, packed (about 300 bytes each). It has at most
 * max_entries and drops the least recently used one first. Times are in ms of one clock, chosen by
 * the caller. */

struct cache;

struct cache *cache_new(size_t max_entries); /* NULL: out of memory */
void cache_free(struct cache *c);

/* Copies the finding; replaces an earlier one. If memory runs out, the domain is not cached. */
void cache_put(struct cache *c, const char *key, const struct finding *f, int64_t expires_ms);
/* Fills out: site, hosts and n_hosts of its route, ranks, failure. false: unknown, or expired. */
bool cache_get(struct cache *c, const char *key, int64_t now_ms, struct finding *out);

/* The hash of key in this cache. It has a random seed, so nobody can choose names that collide. */
uint64_t cache_hash(const struct cache *c, const char *key);

#endif
