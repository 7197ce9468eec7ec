/* Decides whether this Redis can accept mail: checks its state and its settings. */
#include "server/redis/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/link/conn.h"

#define CHECK_MS 5000      /* between two checks while all is well */
#define CHECK_SOON_MS 1000 /* while it is not */
#define ASK_MS 5000
#define DISK_MIN_BYTES ((uint64_t)1 << 20)

void health_init(struct health *h, const struct config *config, const struct instance *instance,
		 struct calls *calls)
{
	*h = (struct health){.config = config, .instance = instance, .calls = calls};
	snprintf(h->lost_why, sizeof(h->lost_why), "Redis is not connected yet");
}

void health_deinit(struct health *h)
{
	free(h->info);
	h->info = NULL;
}

bool health_is_connected(const struct health *h)
{
	for (int i = 0; i < HEALTH_CONNECTIONS; i++)
		if (!h->calls[i].is_up)
			return false;
	return true;
}

bool health_is_ready(const struct health *h, const char **why)
{
	const char *reason = NULL;

	if (!health_is_connected(h))
		reason = h->lost_why;
	else if (!h->check.is_able ||
		 (!h->check.holds && h->config->durability != DURABILITY_RELAXED))
		reason = h->check.why;
	if (why)
		*why = reason;
	return !reason;
}

const char *health_durability(const struct health *h)
{
	if (!h->check.holds)
		return "relaxed";
	return h->config->durability == DURABILITY_REPLICATED ? "replicated" : "fsync";
}

/* The embedded Redis exits when it cannot write, and cannot start while the disk is full. Only a
 * Redis on a Unix socket can be the embedded one. */
static bool is_disk_full(const struct config *config)
{
	bool is_local = !*config->redis_url || strncmp(config->redis_url, "unix:", 5) == 0;
	struct statvfs disk;

	return is_local && statvfs(config->data_dir, &disk) == 0 &&
	       (uint64_t)disk.f_bavail * disk.f_frsize < DISK_MIN_BYTES;
}

/* A Redis that was connected before, and does not listen now, has ended. With appendfsync always it
 * ends itself when it cannot write. */
static bool has_ended(const struct health *h, const char *why)
{
	return h->was_checked && strstr(why, "Connection refused");
}

bool health_lost(struct health *h, const char *why)
{
	char text[sizeof(h->lost_why)];
	bool has_changed;

	if (is_disk_full(h->config))
		snprintf(text, sizeof(text),
			 "the disk of %s is full, so Redis does not run (%.80s): free some space",
			 h->config->data_dir, why);
	else if (has_ended(h, why))
		snprintf(text, sizeof(text),
			 "%.300s. Redis has ended; its own log says why. A full disk ends it", why);
	else
		snprintf(text, sizeof(text), "%s", why);
	has_changed = strcmp(text, h->lost_why) != 0;
	memcpy(h->lost_why, text, sizeof(text));
	health_report(h);
	return has_changed;
}

/* A field for nodes of a cluster only. It is the last one, because a name NULL ends the list. */
#define LOG_NODE(h)                                                                                \
	{                                                                                          \
		*(h)->node ? "node" : NULL, (h)->node, (size_t)-1, 0                               \
	}

void health_report(struct health *h)
{
	const char *why = NULL;
	bool is = health_is_ready(h, &why);

	if (is == h->was_ready)
		return;
	h->was_ready = is;
	if (is)
		LOG(LOG_INFO, "store.ready", LOG_S("instance", h->instance->id),
		    LOG_S("durability", health_durability(h)), LOG_NODE(h));
	else
		LOG_ONCE(LOG_ERROR, "store.not_ready", LOG_S("reason", why));
}

/* Logs warnings, once each. They are no reason to refuse mail. */
static void log_warnings(const struct redis_settings *is, const struct redis_settings *was,
			 bool is_cluster)
{
	if (is->is_unlimited && !was->is_unlimited)
		LOG_ONCE(LOG_WARN, "store.no_memory_limit",
			 LOG_S("hint",
			       "set maxmemory in Redis: then a full queue refuses mail before "
			       "the machine runs out of memory"));
	if (is->loads_halves && !was->loads_halves)
		LOG_ONCE(LOG_WARN, "store.loads_halves",
			 LOG_S("hint",
			       "after a power failure Redis may run half a transaction: set "
			       "aof-load-truncated no, and run `postern redis mend` before "
			       "Redis starts"));
	if (is->stops_whole && !was->stops_whole && is_cluster)
		LOG_ONCE(LOG_WARN, "store.stops_whole",
			 LOG_S("hint",
			       "set cluster-require-full-coverage no on each node: with yes, all "
			       "mail stops while one primary is away"));
}

static void name_node(struct health *h)
{
	char why[sizeof(h->check.why)];

	snprintf(why, sizeof(why), "node %.60s: %s", h->node, h->check.why);
	memcpy(h->check.why, why, sizeof(why));
}

void health_judge(struct health *h, const redisReply *config)
{
	redisReply info = {.type = REDIS_REPLY_STRING, .str = h->info, .len = h->info_len};
	struct redis_settings was = h->check;

	if (!h->info)
		return;
	settings_check(&info, config,
		       &(struct settings_wanted){
			       .may_assume = h->config->assert_redis_settings,
			       .needs_replica = h->config->durability == DURABILITY_REPLICATED,
			       .is_cluster = *h->node,
		       },
		       &h->check);
	if (*h->node && !h->check.holds)
		name_node(h);
	log_warnings(&h->check, &was, *h->node);
	if (!h->check.holds && !h->was_checked)
		LOG_ONCE(LOG_ERROR, "store.settings", LOG_S("reason", h->check.why));
	h->was_checked = true;
	h->check_at = clock_mono_ms() + (h->check.holds ? CHECK_MS : CHECK_SOON_MS);
	health_report(h);
}

void health_keep_time(struct health *h, const redisReply *r)
{
	int64_t now = resp_time_ms((const struct resp *)r);

	if (now)
		h->offset_ms = now - clock_real_ms();
}

void health_keep_info(struct health *h, const redisReply *r)
{
	char *copy = r->str ? strndup(r->str, r->len) : NULL;

	free(h->info);
	h->info = copy;
	h->info_len = copy ? r->len : 0;
}

static void on_check_info(const struct call_result *result, void *context)
{
	if (result->end == CALL_ANSWERED)
		health_keep_info(context, (const redisReply *)result->reply);
}

static void on_check_config(const redisReply *r, void *arg)
{
	if (r)
		health_judge(arg, r);
}

bool health_ask_config(struct calls *l, reply_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "CONFIG");
	command_str(&c, "GET");
	command_str(&c, "appendfsync");
	command_str(&c, "no-appendfsync-on-rewrite");
	command_str(&c, "aof-load-truncated");
	command_str(&c, "cluster-require-full-coverage");
	command_str(&c, "min-replicas-to-write");
	return conn_send_command(l->conn, &c, fn, arg);
}

static void on_time(const struct call_result *result, void *context)
{
	if (result->end == CALL_ANSWERED)
		health_keep_time(context, (const redisReply *)result->reply);
}

static void ask(struct health *h, const char *command, call_fn *fn)
{
	struct command c = {0};

	command_start(&c, command);
	calls_add(h->calls, &c, ASK_MS, CALLBACK(fn, h));
}

static void ask_time(struct health *h)
{
	h->is_late = false;
	ask(h, "TIME", on_time);
}

static void check_again(struct health *h)
{
	h->check_at = clock_mono_ms() + CHECK_MS;
	ask(h, "INFO", on_check_info);
	(void)health_ask_config(h->calls, on_check_config, h); /* else at the next check */
	ask_time(h);
}

void health_tick(struct health *h)
{
	if (h->calls->is_up && clock_mono_ms() >= h->check_at)
		check_again(h);
	else if (h->calls->is_up && h->is_late)
		ask_time(h);
	health_report(h);
}
