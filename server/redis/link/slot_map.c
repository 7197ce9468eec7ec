/* Slots of a Redis Cluster. */
#include "server/redis/link/slot_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/number.h"

static uint16_t crc16(const char *text, size_t len)
{
	unsigned crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned)(unsigned char)text[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
	}
	return (uint16_t)crc;
}

unsigned slot_of_key(const char *key, size_t len)
{
	const char *open = memchr(key, '{', len), *close;

	if (open) {
		open++;
		close = memchr(open, '}', len - (size_t)(open - key));
		if (close && close > open)
			return crc16(open, (size_t)(close - open)) % SLOTS;
	}
	return crc16(key, len) % SLOTS;
}

/* It is written to logs and metrics. */
static bool is_host_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' || name[i] == '\\')
			return false;
	return true;
}

/* Redis leaves the name out, or writes "?", if it does not know it. */
static int set_host(struct redis_host *host, const char *name, size_t len, int64_t port,
		    const struct redis_host *asked)
{
	if (port < 1 || port > 65535 || len >= sizeof(host->name) || !is_host_name(name, len))
		return -1;
	*host = (struct redis_host){.port = (int)port};
	if (!len || (len == 1 && *name == '?'))
		memcpy(host->name, asked->name, sizeof(host->name));
	else
		memcpy(host->name, name, len);
	return 0;
}

/* The number of a primary in the map; a new one is added. 0: out of memory. */
static uint16_t number_of(struct slot_map *map, const struct redis_host *host)
{
	struct redis_host *more;

	for (unsigned i = 0; i < map->n_primaries; i++)
		if (redis_host_is(&map->primaries[i], host))
			return (uint16_t)(i + 1);
	more = realloc(map->primaries, (map->n_primaries + 1) * sizeof(*more));
	if (!more)
		return 0;
	map->primaries = more;
	more[map->n_primaries++] = *host;
	return (uint16_t)map->n_primaries;
}

/* row: first slot, last slot, {name, port, ...} of the primary, and of each replica. */
static int read_range(struct slot_map *map, const redisReply *row, const struct redis_host *asked,
		      struct err *e)
{
	const redisReply *const *part = (const redisReply *const *)row->element;
	const redisReply *node =
		row->type == REDIS_REPLY_ARRAY && row->elements >= 3 ? part[2] : NULL;
	struct redis_host host;
	uint16_t number;

	if (!node || node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
	    part[0]->type != REDIS_REPLY_INTEGER || part[1]->type != REDIS_REPLY_INTEGER ||
	    part[0]->integer < 0 || part[1]->integer >= SLOTS ||
	    node->element[1]->type != REDIS_REPLY_INTEGER ||
	    set_host(&host, node->element[0]->str ? node->element[0]->str : "",
		     node->element[0]->len, node->element[1]->integer, asked) < 0)
		return err_set(e, ERR_INTERNAL, "unexpected reply to CLUSTER SLOTS");
	number = number_of(map, &host);
	if (!number)
		return err_oom(e);
	for (long long slot = part[0]->integer; slot <= part[1]->integer; slot++)
		map->owner[slot] = number;
	return 0;
}

int slot_map_read(struct slot_map *map, const redisReply *reply, const struct redis_host *asked,
		  struct err *e)
{
	int status = 0;

	*map = (struct slot_map){0};
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements > SLOTS)
		return err_set(e, ERR_INTERNAL, "unexpected reply to CLUSTER SLOTS");
	for (size_t i = 0; i < reply->elements && status == 0; i++)
		status = read_range(map, reply->element[i], asked, e);
	if (status < 0) {
		slot_map_free(map);
		return -1;
	}
	for (unsigned slot = 0; slot < SLOTS; slot++)
		map->n_missing += !map->owner[slot];
	return 0;
}

const struct redis_host *slot_map_primary(const struct slot_map *map, unsigned slot)
{
	unsigned number = map->owner[slot];

	return number ? &map->primaries[number - 1] : NULL;
}

void slot_map_free(struct slot_map *map)
{
	free(map->primaries);
	*map = (struct slot_map){0};
}

int slot_redirect_read(const char *error, const struct redis_host *asked, struct redis_host *to)
{
	const char *slot = strchr(error, ' ');
	const char *host = slot ? strchr(slot + 1, ' ') : NULL;
	const char *colon = host ? strrchr(host, ':') : NULL; /* the name may be an IPv6 address */
	int64_t port;

	if ((strncmp(error, "MOVED ", 6) != 0 && strncmp(error, "ASK ", 4) != 0) || !colon ||
	    number_parse(colon + 1, strlen(colon + 1), 1, 65535, &port) < 0)
		return -1;
	return set_host(to, host + 1, (size_t)(colon - host - 1), port, asked);
}
