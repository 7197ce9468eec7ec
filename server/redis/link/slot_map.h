#ifndef SERVER_REDIS_LINK_SLOT_MAP_H
#define SERVER_REDIS_LINK_SLOT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "server/base/err.h"
#include "server/redis/link/url.h"

/* Which primary of a Redis Cluster has which slot. */

#define SLOTS 16384

/* The slot of a key: CRC16 (XMODEM) of its hash tag, the text between { and }, or of all of it. */
unsigned slot_of_key(const char *key, size_t len);

struct slot_map {
	struct redis_host *primaries;
	unsigned n_primaries;
	uint16_t owner[SLOTS]; /* number of the primary + 1; 0 = none */
	unsigned n_missing;    /* slots without an owner */
};

/* Reads the reply to CLUSTER SLOTS. A node without an address in it is `asked`, the one that sent
 * the reply. ERR_INTERNAL: the reply is damaged, or out of memory; the map is empty then. */
int slot_map_read(struct slot_map *map, const redisReply *reply, const struct redis_host *asked,
		  struct err *e);
/* NULL: no primary has it. */
const struct redis_host *slot_map_primary(const struct slot_map *map, unsigned slot);
void slot_map_free(struct slot_map *map);

/* Reads "MOVED 3999 127.0.0.1:6381" or "ASK ...". A host without a name is `asked`. -1: it is
 * neither. */
int slot_redirect_read(const char *error, const struct redis_host *asked, struct redis_host *to);

#endif
