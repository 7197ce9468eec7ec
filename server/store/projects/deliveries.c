/* Webhooks in the store, for the process that delivers them. */
#include "server/store/projects/deliveries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/redis/call.h"
#include "server/redis/redis.h"

#define LIMIT_MS 5000
#define TESTS_MAX 16

/* ---- load ---- */

struct loading {
	struct redis *redis;
	deliveries_load_fn *fn;
	void *arg;
};

static void read_place(const char *text, struct event_log_place *at)
{
	if (sscanf(text, "%" SCNd64 "-%" SCNd64, &at->ms, &at->seq) != 2)
		*at = (struct event_log_place){0};
}

/* {"start", place, partition, place, "good", ms ...}: a partition that nothing was done in begins
 * at start. */
static void read_done(const redisReply *r, struct deliveries_endpoint *out, unsigned partitions)
{
	struct event_log_place *done = out->done;
	struct event_log_place start = {0};

	for (size_t i = 0; i + 1 < r->elements; i += 2)
		if (strcmp(r->element[i]->str, "start") == 0)
			read_place(r->element[i + 1]->str, &start);
		else if (strcmp(r->element[i]->str, "good") == 0)
			out->good_ms = strtoll(r->element[i + 1]->str, NULL, 10);
	for (unsigned p = 0; p < partitions; p++)
		done[p] = start;
	for (size_t i = 0; i + 1 < r->elements; i += 2) {
		char *end;
		unsigned long p = strtoul(r->element[i]->str, &end, 10);

		if (*end == 0 && p < partitions)
			read_place(r->element[i + 1]->str, &done[p]);
	}
}

static int read_endpoint(redisReply *const *r, unsigned partitions, struct deliveries_endpoint *out)
{
	const char *project_id;
	json_t *project;

	if (r[2]->type != REDIS_REPLY_STRING || r[3]->type != REDIS_REPLY_STRING ||
	    r[4]->type != REDIS_REPLY_ARRAY ||
	    endpoint_parse(r[0]->str, r[1]->str, r[3]->str, r[3]->len, &out->endpoint) < 0)
		return -1;
	project = json_loadb(r[2]->str, r[2]->len, 0, NULL);
	project_id = json_string_value(json_object_get(project, "id"));
	snprintf(out->project_id, sizeof(out->project_id), "%s", project_id ? project_id : "");
	json_decref(project);
	out->done = calloc(partitions, sizeof(*out->done));
	if (!out->done)
		abort();
	read_done(r[4], out, partitions);
	out->n_retries = (size_t)r[5]->integer;
	return 0;
}

static void tell(const struct loading *l, const redisReply *r)
{
	size_t most = (r->elements - 1) / 6, n = 0;
	struct deliveries_endpoint *list = calloc(most + 1, sizeof(*list));

	if (!list)
		abort();
	for (size_t i = 0; i < most; i++)
		if (read_endpoint(r->element + 1 + i * 6, redis_partitions(l->redis), &list[n]) ==
		    0)
			n++;
	l->fn(list, n, r->element[0]->integer, NULL, l->arg);
	for (size_t i = 0; i < n; i++) {
		endpoint_deinit(&list[i].endpoint);
		free(list[i].done);
	}
	free(list);
}

static void on_loaded(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct loading *l = arg;

	if (end != CALL_ANSWERED)
		l->fn(NULL, 0, 0, why, l->arg);
	else if (r->type != REDIS_REPLY_ARRAY || r->elements < 2)
		l->fn(NULL, 0, r->elements ? r->element[0]->integer : 0, NULL, l->arg);
	else
		tell(l, r);
	free(l);
}

void deliveries_load(struct redis *redis, int64_t version, deliveries_load_fn *fn, void *arg)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct command c = {0};

	if (!l)
		abort();
	*l = (struct loading){redis, fn, arg};
	command_script(&c, SCRIPT_DELIVERIES_ENDPOINTS, REDIS_GLOBAL);
	command_num(&c, version);
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_loaded, l);
}

/* ---- news ---- */

struct looking {
	deliveries_news_fn *fn;
	void *arg;
};

static void on_news(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct looking *l = arg;

	(void)why;
	/* {{key, entries}, ...} */
	for (size_t i = 0; end == CALL_ANSWERED && r->type == REDIS_REPLY_ARRAY && i < r->elements;
	     i++) {
		const redisReply *stream = r->element[i];
		const char *name =
			stream->elements ? strstr(stream->element[0]->str, ":ev:") : NULL;

		if (name)
			l->fn(name + 4, l->arg);
	}
	l->fn(NULL, l->arg);
	free(l);
}

void deliveries_look(struct redis *redis, unsigned partition,
		     const struct deliveries_read_position *list, size_t n, deliveries_news_fn *fn,
		     void *arg)
{
	struct looking *l = calloc(1, sizeof(*l));
	struct command c = {0};
	char place[64];

	if (!l)
		abort();
	*l = (struct looking){fn, arg};
	command_start(&c, "XREAD");
	command_str(&c, "COUNT");
	command_num(&c, 1);
	command_str(&c, "STREAMS");
	for (size_t i = 0; i < n; i++)
		command_key(&c, partition, "ev:%s", list[i].project);
	for (size_t i = 0; i < n; i++) {
		snprintf(place, sizeof(place), "%" PRId64 "-%" PRId64, list[i].at.ms,
			 list[i].at.seq);
		command_str(&c, place);
	}
	redis_call_plain(redis, &c, 1, LIMIT_MS, on_news, l);
}

/* ---- what is due ---- */

struct due {
	deliveries_due_fn *fn;
	void *arg;
};

static void on_due(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct due *d = arg;
	size_t n = end == CALL_ANSWERED && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
	const char **members = calloc(n + 1, sizeof(*members));

	(void)why;
	if (!members)
		abort();
	for (size_t i = 0; i < n; i++)
		members[i] = r->element[i]->str;
	d->fn(members, n, d->arg);
	free(members);
	free(d);
}

static void ask_members(struct redis *redis, struct command *c, deliveries_due_fn *fn, void *arg)
{
	struct due *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	*d = (struct due){fn, arg};
	redis_call_plain(redis, c, 1, LIMIT_MS, on_due, d);
}

void deliveries_due(struct redis *redis, const char *id, int64_t now_ms, size_t max,
		    deliveries_due_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "ZRANGEBYSCORE");
	command_key(&c, REDIS_GLOBAL, "hr:%s", id);
	command_str(&c, "-inf");
	command_num(&c, now_ms);
	command_str(&c, "LIMIT");
	command_num(&c, 0);
	command_num(&c, (int64_t)max);
	ask_members(redis, &c, fn, arg);
}

void deliveries_tests(struct redis *redis, deliveries_due_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "LPOP");
	command_key(&c, REDIS_GLOBAL, "ht");
	command_num(&c, TESTS_MAX);
	ask_members(redis, &c, fn, arg);
}

/* ---- the batch ---- */

static void add(struct deliveries_batch *b, const char *what, const char *id)
{
	if (b->n++ == 0)
		command_args(&b->words);
	command_str(&b->words, what);
	command_str(&b->words, id);
}

void deliveries_cursor(struct deliveries_batch *b, const char *id, unsigned partition,
		       const struct event_log_place *at)
{
	char place[64];

	snprintf(place, sizeof(place), "%" PRId64 "-%" PRId64, at->ms, at->seq);
	add(b, "cursor", id);
	command_num(&b->words, partition);
	command_str(&b->words, place);
}

void deliveries_again(struct deliveries_batch *b, const char *id, int64_t due_ms,
		      const char *member)
{
	add(b, "retry", id);
	command_num(&b->words, due_ms);
	command_str(&b->words, member);
}

void deliveries_over(struct deliveries_batch *b, const char *id, const char *member,
		     int64_t seen_ms)
{
	add(b, "over", id);
	command_str(&b->words, member);
	command_num(&b->words, seen_ms);
}

void deliveries_told(struct deliveries_batch *b, const char *id, const char *member,
		     int64_t seen_ms)
{
	add(b, "delivered", id);
	command_str(&b->words, member);
	command_num(&b->words, seen_ms);
}

void deliveries_soon(struct deliveries_batch *b, const char *id, int64_t ms)
{
	add(b, "soon", id);
	command_num(&b->words, ms);
	command_str(&b->words, "");
}

void deliveries_log(struct deliveries_batch *b, const char *id, const char *json, bool has_failed)
{
	add(b, "log", id);
	command_str(&b->words, json);
	command_num(&b->words, has_failed);
}

void deliveries_tested(struct deliveries_batch *b, const char *id, const char *event_id,
		       const char *json)
{
	add(b, "tested", id);
	command_str(&b->words, event_id);
	command_str(&b->words, json);
}

void deliveries_lost(struct deliveries_batch *b, const char *id, int64_t from_ms, int64_t until_ms)
{
	add(b, "lost", id);
	command_num(&b->words, from_ms);
	command_num(&b->words, until_ms);
}

void deliveries_disable(struct deliveries_batch *b, const char *id, const char *reason)
{
	add(b, "disable", id);
	command_str(&b->words, reason);
	command_str(&b->words, "");
}

struct commit {
	deliveries_commit_fn *fn;
	void *arg;
};

static void on_committed(enum call_end end, const redisReply *r, const struct err *why, void *arg)
{
	struct commit *c = arg;

	(void)why;
	c->fn(end == CALL_ANSWERED && r->type == REDIS_REPLY_INTEGER && r->integer == 1, c->arg);
	free(c);
}

void deliveries_commit(struct redis *redis, const char *owner, int64_t lease_ms,
		       struct deliveries_batch *take, deliveries_commit_fn *fn, void *arg)
{
	struct commit *c = calloc(1, sizeof(*c));
	struct command command = {0};

	if (!c)
		abort();
	*c = (struct commit){fn, arg};
	command_script(&command, SCRIPT_DELIVERIES_REPORT, REDIS_GLOBAL);
	command_str(&command, owner);
	command_num(&command, lease_ms);
	if (take->n)
		command_append(&command, &take->words);
	command_deinit(&take->words);
	*take = (struct deliveries_batch){0};
	redis_call_plain(redis, &command, 0, 0, on_committed, c);
}
