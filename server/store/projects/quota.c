/* The limits of a project. */
#include "server/store/projects/quota.h"

#include "server/config/config.h"
#include "server/redis/redis.h"
#include "server/store/projects/keys.h"

static int64_t test_part(int64_t limit)
{
	return (limit + QUOTA_TEST_PART - 1) / QUOTA_TEST_PART;
}

struct quota quota_of(const struct redis *redis, const struct key *key)
{
	const struct config *config = redis_config(redis);
	struct quota q = key->quota;

	if (!q.queued_messages)
		q.queued_messages = config->project_queued_messages;
	if (!q.stored_bytes)
		q.stored_bytes = config->project_stored_bytes;
	if (!q.stored_bytes)
		q.stored_bytes = redis_memory_max(redis) / 100 * QUOTA_MEMORY_PERCENT;
	if (key->is_test) {
		q.queued_messages = test_part(q.queued_messages);
		q.stored_bytes = test_part(q.stored_bytes);
	}
	return q;
}
