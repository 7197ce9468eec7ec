#ifndef SERVER_ROUTE_CACHE_H
#define SERVER_ROUTE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/lookup.h"

/* What lookups found, by domain, packed (some 300 bytes each), at most max_entries; the least
 * recently used goes first. */

struct cache;

struct cache *cache_new(size_t max_entries); /* NULL: no memory */
void cache_free(struct cache *c);

/* Replaces what was there. Without memory nothing is kept. */
void cache_put(struct cache *c, const char *key, const struct finding *f, int64_t expires_ms);
/* Fills out (its route's site, hosts and n_hosts, ranks, failure). false: not there, or expired. */
bool cache_get(struct cache *c, const char *key, int64_t now_ms, struct finding *out);

/* The hash of key for this cache; seeded, so that nobody can choose names that collide. */
uint64_t cache_hash(const struct cache *c, const char *key);

#endif
