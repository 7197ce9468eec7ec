/* Webhooks in the store, for the process that delivers them. */
#include "server/store/projects/deliveries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_calls.h"
#include "lua_keys.h"
#include "server/redis/redis.h"
#include "server/store/projects/stored_json.h"

#define LIMIT_MS 5000
#define TESTS_MAX 16

/* ---- load ---- */

struct load {
	struct redis *redis;
	deliveries_load_fn *fn;
	void *arg;
};

static struct event_log_place read_place(const struct resp *text)
{
	struct event_log_place at = {0};

	event_log_place_read(resp_text(text), &at);
	return at;
}

/* {"start", place, partition, place, "good", ms ...}: a partition without a place is at start. */
static void read_cursors(const struct resp *r, struct deliveries_endpoint *out)
{
	unsigned partitions = out->n_partitions;

	for (size_t i = 0; i + 1 < resp_count(r); i += 2) {
		const char *name = resp_text(resp_item(r, i));

		if (strcmp(name, "start") == 0)
			out->start = read_place(resp_item(r, i + 1));
		else if (strcmp(name, "good") == 0)
			out->good_ms = strtoll(resp_text(resp_item(r, i + 1)), NULL, 10);
	}
	for (unsigned p = 0; p < partitions; p++)
		out->done[p] = out->start;
	for (size_t i = 0; i + 1 < resp_count(r); i += 2) {
		const char *name = resp_text(resp_item(r, i));
		char *end;
		unsigned long p = strtoul(name, &end, 10);

		if (end != name && *end == 0 && p < partitions)
			out->done[p] = read_place(resp_item(r, i + 1));
	}
}

static void drop_endpoint(void *row)
{
	struct deliveries_endpoint *endpoint = row;

	endpoint_deinit(&endpoint->endpoint);
	free(endpoint->done);
}

static int read_endpoint(const struct resp *array, size_t at, void *context_out, void *context)
{
	const struct resp *json = resp_item(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_JSON);
	const struct resp *of = resp_item(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_PROJECT_JSON);
	struct deliveries_endpoint *out = context_out;
	const struct load *l = context;
	json_t *project;
	int rc = endpoint_parse(
		resp_text(resp_item(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_ID)),
		resp_text(resp_item(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_PROJECT)),
		resp_text(json), resp_len(json), &out->endpoint);

	if (rc < 0)
		return rc;
	out->n_partitions = redis_partitions(l->redis);
	out->done = calloc(out->n_partitions, sizeof(*out->done));
	rc = stored_json_row(resp_text(of), resp_len(of), &project);
	if (!out->done || rc == RESP_ROW_OOM) {
		json_decref(project);
		drop_endpoint(out);
		return RESP_ROW_OOM;
	}
	stored_json_copy(project, "id", out->project_id, sizeof(out->project_id));
	json_decref(project);
	read_cursors(resp_item(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_CURSORS), out);
	out->n_retries = (size_t)resp_number_at(array, at + DELIVERIES_ENDPOINTS_ENDPOINT_WAITING);
	return 0;
}

static void on_loaded(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {
		DELIVERIES_ENDPOINTS_HEAD_WORDS, DELIVERIES_ENDPOINTS_ENDPOINT_WORDS,
		sizeof(struct deliveries_endpoint), read_endpoint, drop_endpoint};
	int64_t version = resp_number_at(result->reply, DELIVERIES_ENDPOINTS_HEAD_VERSION);
	struct load *l = context;
	struct deliveries_endpoint *list;
	struct resp_rows rows;
	struct err e;

	if (result->end == CALL_ANSWERED &&
	    resp_count(result->reply) == DELIVERIES_ENDPOINTS_HEAD_WORDS) {
		l->fn(NULL, 0, version, NULL, l->arg);
		return;
	}
	if (resp_read_result(result, &shape, l, &rows, &e) < 0) {
		l->fn(NULL, 0, 0, &e, l->arg);
		return;
	}
	list = rows.list;
	l->fn(list, rows.n, version, NULL, l->arg);
	for (size_t i = 0; i < rows.n; i++)
		drop_endpoint(&list[i]);
	free(list);
}

void deliveries_load(struct redis *redis, int64_t version, deliveries_load_fn *fn, void *arg)
{
	struct load l = {redis, fn, arg};
	struct command c = {0};

	script_deliveries_endpoints(
		&c, REDIS_GLOBAL, &(struct script_deliveries_endpoints){.known_version = version});
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_loaded, l));
}

/* ---- news ---- */

struct news {
	deliveries_news_fn *fn;
	void *arg;
};

/* {{key, entries}, ...} */
static void on_news(const struct call_result *result, void *context)
{
	const struct news *news = context;

	for (size_t i = 0; i < resp_count(result->reply); i++) {
		const char *key = resp_text(resp_item(resp_item(result->reply, i), 0));
		const char *name = strstr(key, ":ev:");

		if (name)
			news->fn(name + 4, news->arg);
	}
	news->fn(NULL, news->arg);
}

void deliveries_look(struct redis *redis, unsigned partition,
		     const struct deliveries_read_position *list, size_t n, deliveries_news_fn *fn,
		     void *arg)
{
	struct news news = {fn, arg};
	struct command c = {0};
	char place[EVENT_LOG_PLACE_TEXT];

	command_start(&c, "XREAD");
	command_str(&c, "COUNT");
	command_num(&c, 1);
	command_str(&c, "STREAMS");
	for (size_t i = 0; i < n; i++)
		command_key(&c, partition, KEY_LOG, list[i].project);
	for (size_t i = 0; i < n; i++) {
		event_log_place_write(&list[i].at, place);
		command_str(&c, place);
	}
	redis_call(redis, &c, 1, LIMIT_MS, CALLBACK_COPY(on_news, news));
}

/* ---- due retries ---- */

struct due {
	deliveries_due_fn *fn;
	void *arg;
};

static int read_member(const struct resp *array, size_t at, void *out, void *context)
{
	(void)context;
	*(const char **)out = resp_text(resp_item(array, at));
	return 0;
}

/* Without a reply, reports that nothing is due; the caller asks again later. */
static void on_due(const struct call_result *result, void *context)
{
	static const struct resp_shape shape = {0, 1, sizeof(const char *), read_member, NULL};
	const struct due *d = context;
	struct resp_rows rows = {0};
	struct err e;

	if (resp_is_array(result->reply))
		resp_read_result(result, &shape, NULL, &rows, &e);
	d->fn(rows.list, rows.n, d->arg);
	free(rows.list);
}

static void ask_members(struct redis *redis, struct command *c, deliveries_due_fn *fn, void *arg)
{
	struct due d = {fn, arg};

	redis_call(redis, c, 1, LIMIT_MS, CALLBACK_COPY(on_due, d));
}

void deliveries_due(struct redis *redis, const char *id, int64_t now_ms, size_t max,
		    deliveries_due_fn *fn, void *arg)
{
	struct command c = {0};

	command_start(&c, "ZRANGEBYSCORE");
	command_key(&c, REDIS_GLOBAL, KEY_ENDPOINT_RETRIES, id);
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
	command_key(&c, REDIS_GLOBAL, KEY_ENDPOINT_TESTS);
	command_num(&c, TESTS_MAX);
	ask_members(redis, &c, fn, arg);
}

/* ---- the batch ---- */

static void add(struct deliveries_batch *b, const char *what, const char *id, const char *first,
		const char *second)
{
	if (b->n++ == 0)
		command_args(&b->words);
	script_deliveries_report_item(
		&b->words, &(struct script_deliveries_report_item){
				   .what = what, .endpoint = id, .first = first, .second = second});
}

#define NUMBER_TEXT 24

static const char *number_text(int64_t n, char text[NUMBER_TEXT])
{
	snprintf(text, NUMBER_TEXT, "%" PRId64, n);
	return text;
}

void deliveries_cursor(struct deliveries_batch *b, const char *id, unsigned partition,
		       const struct event_log_place *at)
{
	char place[EVENT_LOG_PLACE_TEXT], number[NUMBER_TEXT];

	event_log_place_write(at, place);
	add(b, "cursor", id, number_text(partition, number), place);
}

void deliveries_put_retry(struct deliveries_batch *b, const char *id, int64_t due_ms,
			  const char *member)
{
	char due[NUMBER_TEXT];

	add(b, "retry", id, number_text(due_ms, due), member);
}

void deliveries_remove_retry(struct deliveries_batch *b, const char *id, const char *member,
			     int64_t seen_ms)
{
	char seen[NUMBER_TEXT];

	add(b, "over", id, member, number_text(seen_ms, seen));
}

void deliveries_remove_delivered(struct deliveries_batch *b, const char *id, const char *member,
				 int64_t seen_ms)
{
	char seen[NUMBER_TEXT];

	add(b, "delivered", id, member, number_text(seen_ms, seen));
}

void deliveries_soon(struct deliveries_batch *b, const char *id, int64_t ms)
{
	char from[NUMBER_TEXT];

	add(b, "soon", id, number_text(ms, from), NULL);
}

void deliveries_log(struct deliveries_batch *b, const char *id, const char *json, bool has_failed)
{
	add(b, "log", id, json, has_failed ? "1" : "0");
}

void deliveries_tested(struct deliveries_batch *b, const char *id, const char *event_id,
		       const char *json)
{
	add(b, "tested", id, event_id, json);
}

void deliveries_refuse_test(struct deliveries_batch *b, const char *id, const char *event_id)
{
	deliveries_tested(b, id, event_id, "{\"refusal\":\"" ENDPOINT_TESTS_REFUSAL "\"}");
}

void deliveries_lost(struct deliveries_batch *b, const char *id, int64_t from_ms, int64_t until_ms)
{
	char from[NUMBER_TEXT], until[NUMBER_TEXT];

	add(b, "lost", id, number_text(from_ms, from), number_text(until_ms, until));
}

void deliveries_disable(struct deliveries_batch *b, const char *id, const char *reason)
{
	add(b, "disable", id, reason, NULL);
}

struct commit {
	deliveries_commit_fn *fn;
	void *arg;
};

static void on_committed(const struct call_result *result, void *context)
{
	const struct commit *c = context;

	c->fn(resp_number(result->reply) == 1, c->arg);
}

void deliveries_commit(struct redis *redis, const char *owner, int64_t lease_ms,
		       struct deliveries_batch *take, deliveries_commit_fn *fn, void *arg)
{
	struct commit commit = {fn, arg};
	struct command c = {0};

	script_deliveries_report(
		&c, REDIS_GLOBAL,
		&(struct script_deliveries_report){.process = owner, .lease_ms = lease_ms});
	if (take->n)
		command_append(&c, &take->words);
	command_deinit(&take->words);
	*take = (struct deliveries_batch){0};
	redis_call(redis, &c, 0, 0, CALLBACK_COPY(on_committed, commit));
}
