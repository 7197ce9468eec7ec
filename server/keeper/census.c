/* The census: counts jobs, messages and bytes of all partitions, and lists the projects. */
#include "server/keeper/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_keys.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/redis/link/command.h"
#include "server/store/queue/accept.h"

#define CENSUS_MS 5000

/* One number of one partition. */
struct gauge {
	enum metric metric;
	struct census *census;
};

/* After the last reply, sets the metrics. If a reply is missing, the metrics stay unchanged. */
static void end_gauge(struct census *s, const struct call_result *result)
{
	static const enum metric shown[] = {METRIC_QUEUE_READY,          METRIC_QUEUE_DUE,
					    METRIC_QUEUE_LEASED,         METRIC_QUEUE_DAMAGED,
					    METRIC_QUEUE_READY_PROJECTS, METRIC_QUEUE_OTP_LATE,
					    METRIC_QUEUE_OLDEST_DUE_MS,  METRIC_QUEUE_MESSAGES,
					    METRIC_STORED_BYTES};

	if (!call_group_end(&s->calls, result) || s->calls.has_failed)
		return;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		metric_set(shown[i], s->found[shown[i]]);
}

static void on_count(const struct call_result *result, void *context)
{
	const struct gauge *g = context;
	const struct resp *r = result->reply;
	int64_t n = resp_is_text(r) ? strtoll(resp_text(r), NULL, 10) : resp_number(r);

	g->census->found[g->metric] += n;
	if (g->metric == METRIC_QUEUE_DAMAGED && n)
		LOG(LOG_ERROR, "queue.damaged", LOG_N("jobs", n),
		    LOG_S("hint", "records that cannot be read: see the list 'damaged' in Redis"));
	end_gauge(g->census, result);
}

/* field: of a hash, or NULL. */
static void ask_count(struct census *s, enum metric m, unsigned partition, const char *cmd,
		      const char *key, const char *field)
{
	struct gauge g = {m, s};
	struct command c = {0};

	command_start(&c, cmd);
	command_key(&c, partition, "%s", key);
	if (field)
		command_str(&c, field);
	s->calls.n_open++;
	redis_call(s->redis, &c, 1, CENSUS_MS, CALLBACK_COPY(on_count, g));
}

/* Gets the first entry of `due` and its time: the oldest job that is due but not yet promoted. */
static void on_oldest(const struct call_result *result, void *context)
{
	struct census *s = context;
	int64_t now = clock_real_ms() + redis_clock_offset_ms(s->redis, 0), late = 0;
	int64_t *oldest = &s->found[METRIC_QUEUE_OLDEST_DUE_MS];

	if (resp_count(result->reply) == 2)
		late = now - (int64_t)strtod(resp_text(resp_item(result->reply, 1)), NULL);
	if (late > *oldest)
		*oldest = late;
	end_gauge(s, result);
}

/* Adds up what the projects have: "messages bytes" of each. */
static void on_usage(const struct call_result *result, void *context)
{
	struct census *s = context;
	long long messages, bytes;

	for (size_t i = 0; i < resp_count(result->reply); i++) {
		if (sscanf(resp_text(resp_item(result->reply, i)), "%lld %lld", &messages,
			   &bytes) != 2)
			continue;
		s->found[METRIC_QUEUE_MESSAGES] += messages;
		s->found[METRIC_STORED_BYTES] += bytes;
	}
	end_gauge(s, result);
}

static void on_projects(const struct call_result *result, void *context)
{
	struct census *s = context;
	struct buf list = {0};
	char *projects;

	if (result->end != CALL_ANSWERED)
		return;
	for (size_t i = 0; i < resp_count(result->reply); i++) {
		const struct resp *name = resp_item(result->reply, i);

		buf_append(&list, resp_text(name), resp_len(name) + 1);
	}
	buf_append(&list, "", 1);
	projects = buf_give(&list);
	buf_deinit(&list);
	if (!projects)
		return; /* out of memory: the next sweep uses the previous list */
	free(s->projects);
	s->projects = projects;
}

static void ask_partition(struct census *s, unsigned p)
{
	struct command c = {0};
	char key[16];

	ask_count(s, METRIC_QUEUE_DUE, p, "ZCARD", KEY_DUE, NULL);
	ask_count(s, METRIC_QUEUE_LEASED, p, "HLEN", KEY_LEASE, NULL);
	ask_count(s, METRIC_QUEUE_DAMAGED, p, "LLEN", KEY_DAMAGED, NULL);
	ask_count(s, METRIC_QUEUE_OTP_LATE, p, "GET", KEY_OTP_LATE, NULL);
	for (int l = 0; l < LANES; l++) {
		const char *lane = lane_name((enum lane)l);

		snprintf(key, sizeof(key), KEY_LANE_PROJECTS, lane);
		ask_count(s, METRIC_QUEUE_READY_PROJECTS, p, "ZCARD", key, NULL);
		ask_count(s, METRIC_QUEUE_READY, p, "HGET", KEY_READY, lane);
	}
	command_start(&c, "ZRANGE");
	command_key(&c, p, KEY_DUE);
	command_num(&c, 0);
	command_num(&c, 0);
	command_str(&c, "WITHSCORES");
	s->calls.n_open++;
	redis_call(s->redis, &c, 1, CENSUS_MS, CALLBACK(on_oldest, s));
	command_start(&c, "HVALS");
	command_key(&c, p, KEY_USAGE);
	s->calls.n_open++;
	redis_call(s->redis, &c, 1, CENSUS_MS, CALLBACK(on_usage, s));
}

static void run_census(void *arg)
{
	struct census *s = arg;
	struct command c = {0};

	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&s->timer, CENSUS_MS);
	if (s->calls.n_open)
		return;
	memset(s->found, 0, sizeof(s->found));
	s->calls = (struct call_group){0};
	for (unsigned p = 0; p < redis_partitions(s->redis); p++)
		ask_partition(s, p);
	command_start(&c, "HKEYS");
	command_key(&c, REDIS_GLOBAL, KEY_PROJECTS);
	redis_call(s->redis, &c, 1, CENSUS_MS, CALLBACK(on_projects, s));
}

int census_start(struct census *s, struct loop *loop, struct redis *redis)
{
	s->redis = redis;
	if (loop_timer_init(&s->timer, loop, run_census, s) < 0)
		return -1;
	loop_timer_set(&s->timer, 0);
	return 0;
}

void census_stop(struct census *s)
{
	loop_timer_deinit(&s->timer);
	free(s->projects);
}
