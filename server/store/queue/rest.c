/* Tells that a site could not be reached, so that no relay tries it again at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/redis/call.h"
#include "server/store/queue/jobs.h"
#include "server/redis/redis.h"

#define SLOT_CONN 1 /* that of slots: it is known before the connection is given up */

static void on_rest(enum call_end end, const redisReply *reply, const struct err *why, void *arg)
{
	char *site = arg;

	(void)why;
	if (end == CALL_ANSWERED && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
		LOG(LOG_INFO, "site.rests", LOG_S("site", site),
		    LOG_N("until_ms", reply->element[0]->integer),
		    LOG_N("failures", reply->element[1]->integer));
	free(site);
}

/* The first rest is short enough for the first retry of lane otp to meet the end of it. */
static void ask(struct redis *redis, unsigned partition, const char *site, int code,
		const char *why)
{
	const struct config *config = redis_config(redis);
	struct command c = {0};
	char text[256], *name = strdup(site);

	if (!name)
		abort();
	snprintf(text, sizeof(text), "not tried, as the last connection failed: %s", why);
	command_script(&c, SCRIPT_REST, partition);
	command_str(&c, site);
	command_num(&c, config->retry_first_otp_s * 1000 / 3);
	command_num(&c, config->retry_first_s * 1000);
	command_num(&c, random_below(1000));
	command_num(&c, code);
	command_str(&c, text);
	redis_call(redis, &c, SLOT_CONN, 0, on_rest, name);
}

void jobs_rest(struct redis *redis, const char *site, int code, const char *why)
{
	for (unsigned p = 0; p < redis_partitions(redis); p++)
		ask(redis, p, site, code, why);
}
