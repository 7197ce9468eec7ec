/* Chooses the partition of a new message. */
#include "server/store/queue/accept_place.h"

#include <stdint.h>

#include "server/base/id.h"
#include "server/redis/partitions.h"
#include "server/redis/redis.h"
#include "server/store/queue/accept.h"

#define CHOICE_AHEAD_MS 500 /* before a step: new messages are chosen for it */

unsigned accept_place(const char *project, const char *key, unsigned n)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	const char *const parts[2] = {project, key};

	for (int i = 0; i < 2; i++)
		for (const char *p = parts[i]; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	return (unsigned)((hash >> 32) % n);
}

/* The number of partitions for a message that is chosen now. Keys change their partition a little
 * before the step, so that no message with the old one is on its way when the step begins. */
static unsigned number_for_new(const struct redis *redis)
{
	int64_t soon = redis_time_ms(redis) + CHOICE_AHEAD_MS;

	return partitions_step_at(redis_growth(redis), soon)->n;
}

/* The partition of a random key, or one after it that takes mail. */
static unsigned any_partition(const struct redis *redis, const char *project, unsigned n)
{
	unsigned partition;
	char random[9];

	id_random(random, 8);
	partition = accept_place(project, random, n);
	for (unsigned i = 0; i < n; i++)
		if (redis_partition_is_open(redis, (partition + i) % n))
			return (partition + i) % n;
	return partition;
}

unsigned accept_partition(const struct redis *redis, const char *project, const char *idempotency)
{
	unsigned n = number_for_new(redis);

	return idempotency ? accept_place(project, idempotency, n)
			   : any_partition(redis, project, n);
}

unsigned accept_place_number(const struct redis *redis, const char *project, const char *key,
			     unsigned partition)
{
	const struct partitions *all = redis_growth(redis);
	unsigned n = number_for_new(redis);

	for (unsigned i = all->n_steps; i-- > 0;)
		if (all->steps[i].n <= n &&
		    accept_place(project, key, all->steps[i].n) == partition)
			return all->steps[i].n;
	return n;
}
