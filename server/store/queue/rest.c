/* Lets a site rest that could not be reached. */
#include "server/store/queue/rest.h"

#include <stdio.h>

#include "lua_calls.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/config/config.h"
#include "server/redis/link/command.h"
#include "server/redis/redis.h"

#define SLOT_CONNECTION 1 /* the same as for slots: the rest is known before the slot is free */

struct rest {
	char site[256];
};

static void on_rest(const struct call_result *result, void *context)
{
	const struct rest *r = context;

	if (resp_count(result->reply) == REST_WORDS)
		LOG(LOG_INFO, "site.rests", LOG_S("site", r->site),
		    LOG_N("until_ms", resp_number_at(result->reply, REST_UNTIL_MS)),
		    LOG_N("failures", resp_number_at(result->reply, REST_FAILURES)));
}

/* The first rest ends before the first retry of lane otp is due. */
static void rest_in_partition(struct redis *redis, unsigned partition, const char *site, int code,
			      const char *why)
{
	const struct config *config = redis_config(redis);
	struct command c = {0};
	struct rest r;
	char text[256];

	snprintf(r.site, sizeof(r.site), "%s", site);
	snprintf(text, sizeof(text), "not tried, because the last connection failed: %s", why);
	script_rest(&c, partition,
		    &(struct script_rest){
			    .site = site,
			    .first_ms = config->retry_first_otp_s * 1000 / 3,
			    .longest_ms = config->retry_first_s * 1000,
			    .spread = random_below(1000),
			    .code = code,
			    .text = text,
		    });
	redis_call(redis, &c, SLOT_CONNECTION, 0, CALLBACK_COPY(on_rest, r));
}

void rest_site(struct redis *redis, const char *site, int code, const char *why)
{
	for (unsigned p = 0; p < redis_partitions(redis); p++)
		if (redis_partition_is_connected(redis, p))
			rest_in_partition(redis, p, site, code, why);
}
