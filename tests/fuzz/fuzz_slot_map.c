/* Replies of a Redis Cluster from hostile bytes: maps of slots, MOVED and ASK. What is read is
 * within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/link/slot_map.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

static void check_host(const struct redis_host *host)
{
	require(host->port >= 1 && host->port <= 65535);
	require(*host->name && strnlen(host->name, sizeof(host->name)) < sizeof(host->name));
}

static void read_map(const redisReply *reply, const struct redis_host *asked)
{
	const struct redis_host *host;
	struct slot_map map;
	unsigned n_missing = 0;
	struct err e;

	if (slot_map_read(&map, reply, asked, &e) < 0) {
		require(!map.primaries && !map.n_primaries && *e.text);
		return;
	}
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		host = slot_map_primary(&map, slot);
		n_missing += !host;
		if (host)
			check_host(host);
	}
	require(n_missing == map.n_missing);
	slot_map_free(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct redis_host asked = {"10.0.0.9", 7000};
	redisReader *reader = redisReaderCreate();
	struct redis_host to;
	void *reply = NULL;

	require(reader != NULL);
	redisReaderFeed(reader, (const char *)data, size);
	while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
		const redisReply *r = reply;

		read_map(r, &asked);
		if (r->type == REDIS_REPLY_ERROR && slot_redirect_read(r->str, &asked, &to) == 0)
			check_host(&to);
		freeReplyObject(reply);
		reply = NULL;
	}
	redisReaderFree(reader);
	return 0;
}
