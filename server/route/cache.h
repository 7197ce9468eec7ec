#ifndef SERVER_ROUTE_CACHE_H
#define SERVER_ROUTE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/route/lookup.h"

/* The findings of lookups by domain, packed (about 300 bytes each). At most max_entries; the least
 * recently used one is dropped first. */

struct cache;

struct cache *cache_new(size_t max_entries); /* NULL: out of memory */
void cache_free(struct cache *c);

/* Replaces an earlier finding. Out of memory: keeps nothing. */
void cache_put(struct cache *c, const char *key, const struct finding *f, int64_t expires_ms);
/* Fills out: site, hosts and n_hosts of its route, ranks, failure. false: unknown, or expired. */
bool cache_get(struct cache *c, const char *key, int64_t now_ms, struct finding *out);

/* The hash of key in this cache. Seeded: nobody can choose names that collide. */
uint64_t cache_hash(const struct cache *c, const char *key);

#endif
