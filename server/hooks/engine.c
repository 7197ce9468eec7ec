/* Which endpoints there are, and what goes to the store. */
#include "server/hooks/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/events/event.h"
#include "server/redis/redis.h"

#define TICK_MS 50
#define LOAD_EVERY_MS 500
#define TESTS_EVERY_MS 200
#define LEASE_MS 10000
#define RENEW_EVERY_MS 3000
#define TAKE_EVERY_MS 500 /* whoever waits for the lease asks so often */
#define TIPS_MAX 4096
#define LOOKS_A_TURN 16
#define GRACE_MS 2000  /* for what is under way when the process is to end */
#define UNMET_MS 15000 /* a test waits so long for its endpoint to be known */

/* ---- the lease and the batch ---- */

static void commit(struct engine *e);

static void on_committed(bool is_ours, void *arg)
{
	struct engine *e = arg;

	e->is_committing = false;
	e->committed = e->batch_number - 1;
	if (!is_ours && e->is_active && !e->is_stopping) {
		/* Another process delivers now, from what was committed: start anew, behind it. */
		LOG(LOG_WARN, "hooks.lease_lost", LOG_S("hint", "another process has it"));
		e->is_stopping = true;
		e->stopped(e->stopped_arg);
		return;
	}
	if (is_ours && !e->is_active) {
		LOG(LOG_INFO, "hooks.active", LOG_S("owner", e->owner));
		e->is_active = true;
	}
	if (e->has_given_up || (e->is_stopping && !e->is_active))
		e->stopped(e->stopped_arg);
}

static void commit(struct engine *e)
{
	if (e->is_committing || e->has_given_up)
		return;
	e->has_given_up = !e->fetch;
	e->is_committing = true;
	e->renew_at = clock_mono_ms() + RENEW_EVERY_MS;
	e->batch_number++;
	deliveries_commit(e->redis, e->owner, e->has_given_up ? 0 : LEASE_MS, &e->batch,
			  on_committed, e);
}

/* ---- which endpoints there are ---- */

static struct target *find(struct engine *e, const char *id)
{
	for (struct target *t = e->targets; t; t = t->next)
		if (!t->is_gone && strcmp(t->endpoint.id, id) == 0)
			return t;
	return NULL;
}

static bool is_idle(const struct target *t)
{
	bool is_reading = false;

	for (size_t i = 0; i < t->n_feeds; i++)
		is_reading |= t->feeds[i].is_reading;
	return t->in_flight == 0 && t->n_retries_open == 0 && !is_reading;
}

static void drop_gone(struct engine *e)
{
	struct target **at = &e->targets, *t;

	while ((t = *at)) {
		if (t->is_gone && is_idle(t)) {
			*at = t->next;
			target_free(t);
		} else {
			at = &t->next;
		}
	}
}

/* An endpoint that was disabled and enabled again may still be on its way out. */
static bool is_leaving(const struct engine *e, const char *id)
{
	for (const struct target *t = e->targets; t; t = t->next)
		if (t->is_gone && strcmp(t->endpoint.id, id) == 0)
			return true;
	return false;
}

static void take_endpoint(struct engine *e, struct deliveries_endpoint *take)
{
	struct target *t = find(e, take->endpoint.id);

	if (!take->endpoint.is_enabled)
		return;
	if (is_leaving(e, take->endpoint.id)) {
		e->version = -1; /* look again */
		return;
	}
	if (t) {
		target_update(t, take);
	} else {
		t = target_new(e, take);
		t->next = e->targets;
		e->targets = t;
	}
	t->is_listed = true;
}

static void take_all(struct engine *e, struct deliveries_endpoint *list, size_t n, int64_t version)
{
	size_t count = 0;

	e->version = version; /* take_endpoint may want it read again */
	for (struct target *t = e->targets; t; t = t->next)
		t->is_listed = false;
	for (size_t i = 0; i < n; i++)
		take_endpoint(e, &list[i]);
	for (struct target *t = e->targets; t; t = t->next) {
		if (!t->is_listed && !t->is_gone)
			target_close(t);
		count += t->is_listed;
	}
	metric_set(METRIC_WEBHOOK_ENDPOINTS, (int64_t)count);
}

/* ---- tests: what is sent ---- */

static char *test_body(const char *event_id, const char *project_id)
{
	char now[CLOCK_RFC3339_LEN];
	json_t *json;
	char *text;

	clock_rfc3339(clock_real_ms(), now);
	json = json_pack("{s:s, s:s, s:s, s:s, s:{s:s}}", "id", event_id, "type", "webhook.test",
			 "created_at", now, "project", project_id, "data", "text",
			 "This is a test of your webhook.");
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

/* False: there is no such endpoint, as far as is known. */
static bool start_test(struct engine *e, const char *member)
{
	char id[32], event[48], project[32];
	struct target *t;
	struct post *d;

	if (sscanf(member, "%31s %47s %31s", id, event, project) != 3)
		return true;
	t = find(e, id);
	if (!t || !t->secret || !e->fetch)
		return t != NULL; /* without a secret nothing can be sent */
	d = post_new(t, "msg_", 0, test_body(event, project));
	snprintf(d->id, sizeof(d->id), "%s", event);
	snprintf(d->type, sizeof(d->type), "webhook.test");
	d->at_ms = clock_real_ms();
	d->is_test = true;
	post_send(d);
	return true;
}

/* Of endpoints that were made, or enabled, since the last load. */
static void start_unmet(struct engine *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_unmet; i++)
		if (!start_test(e, e->unmet[i]) && clock_mono_ms() < e->unmet_until)
			memmove(e->unmet[n++], e->unmet[i], UNMET_LEN);
	e->n_unmet = n;
}

static void on_tests(const char *const *members, size_t n, void *arg)
{
	struct engine *e = arg;

	for (size_t i = 0; i < n; i++) {
		if (start_test(e, members[i]) || e->n_unmet == UNMET_MAX)
			continue;
		snprintf(e->unmet[e->n_unmet++], UNMET_LEN, "%s", members[i]);
		e->unmet_until = clock_mono_ms() + UNMET_MS;
		e->load_at = 0;
	}
}

static void on_loaded(struct deliveries_endpoint *list, size_t n, int64_t version,
		      const struct err *why, void *arg)
{
	struct engine *e = arg;

	e->is_loading = false;
	if (why)
		return;
	if (version != e->version)
		take_all(e, list, n, version);
	start_unmet(e);
}

static void load(struct engine *e, int64_t now)
{
	if (e->is_loading || now < e->load_at)
		return;
	e->load_at = now + LOAD_EVERY_MS;
	e->is_loading = true;
	e->loaded_at = e->committed;
	deliveries_load(e->redis, e->version, on_loaded, e);
}

/* ---- news in the logs ---- */

struct look {
	struct engine *engine;
	unsigned partition;
};

static void on_news(const char *project, void *arg)
{
	struct look *l = arg;

	if (project) {
		for (struct target *t = l->engine->targets; t; t = t->next)
			if (strcmp(t->endpoint.project, project) == 0)
				target_hear_news(t, l->partition);
		return;
	}
	l->engine->looks_open--;
	free(l);
}

/* The place in its project's log that the target furthest on has read to: behind it is news. */
static void add_tip(struct deliveries_tip *tips, size_t *n, const struct target *t,
		    unsigned partition)
{
	const struct feed *f = &t->feeds[partition];

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(tips[i].project, t->endpoint.project) != 0)
			continue;
		if (event_log_place_compare(&f->read, &tips[i].at) < 0 && !f->has_news)
			tips[i].at = f->read;
		return;
	}
	if (f->has_news || *n == TIPS_MAX)
		return;
	snprintf(tips[*n].project, sizeof(tips[*n].project), "%s", t->endpoint.project);
	tips[(*n)++].at = f->read;
}

static void look_at(struct engine *e, unsigned partition)
{
	static struct deliveries_tip tips[TIPS_MAX];
	struct look *l;
	size_t n = 0;

	for (const struct target *t = e->targets; t; t = t->next)
		if (!t->is_gone)
			add_tip(tips, &n, t, partition);
	if (n == 0)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	*l = (struct look){e, partition};
	e->looks_open++;
	deliveries_look(e->redis, partition, tips, n, on_news, l);
}

/* Some partitions a turn, each as often as the others. */
static void look(struct engine *e)
{
	unsigned partitions = redis_partitions(e->redis);

	if (e->looks_open)
		return;
	for (unsigned i = 0; i < partitions && i < LOOKS_A_TURN; i++)
		look_at(e, e->next_look++ % partitions);
}

/* ---- tests that are asked for ---- */

static void take_tests(struct engine *e, int64_t now)
{
	if (now < e->test_at || !e->targets)
		return;
	e->test_at = now + TESTS_EVERY_MS;
	deliveries_tests(e->redis, on_tests, e);
}

/* ---- the clock ---- */

static void measure(const struct engine *e)
{
	int64_t now = clock_real_ms() + redis_clock_offset_ms(e->redis), oldest = now;
	size_t retries = 0;

	for (const struct target *t = e->targets; t; t = t->next) {
		retries += t->n_retries;
		for (size_t i = 0; i < t->n_feeds; i++)
			if (t->feeds[i].first && t->feeds[i].first->at.ms < oldest)
				oldest = t->feeds[i].first->at.ms;
	}
	metric_set(METRIC_WEBHOOK_RETRIES, (int64_t)retries);
	metric_set(METRIC_WEBHOOK_LAG_MS, now - oldest);
}

/* Whoever waits for the lease is not to wait for a receiver that hangs: its events are told again.
 */
static void end_flights(struct engine *e)
{
	if (e->in_flight)
		LOG(LOG_WARN, "hooks.cut_short", LOG_N("posts", e->in_flight));
	fetch_close(e->fetch);
	e->fetch = NULL;
	e->in_flight = 0;
}

static void on_tick(void *arg)
{
	struct engine *e = arg;
	int64_t now = clock_mono_ms();

	loop_timer_set(&e->tick, TICK_MS);
	drop_gone(e);
	if (e->is_stopping && e->fetch && (e->in_flight == 0 || now >= e->give_up_at))
		end_flights(e);
	if (!redis_is_connected(e->redis))
		return;
	if (e->batch.n || now >= e->renew_at ||
	    (!e->is_active && now >= e->renew_at - RENEW_EVERY_MS + TAKE_EVERY_MS) || !e->fetch)
		commit(e);
	if (!e->is_active || e->is_stopping)
		return;
	load(e, now);
	take_tests(e, now);
	look(e);
	for (struct target *t = e->targets; t; t = t->next)
		target_go_on(t);
	measure(e);
}

int engine_start(struct engine *e, struct err *why)
{
	const char *ca_file = e->config->webhook_ca_file;
	struct fetch_options options = {.allow_private = e->config->webhook_allow_private,
					.ca_file = *ca_file ? ca_file : NULL,
					.max_connections = 256};
	struct id id = id_make("own", 0);

	e->version = -1;
	e->batch_number = 1;
	snprintf(e->owner, sizeof(e->owner), "%s", id.text);
	if (fetch_open(&e->fetch, e->loop, &options, why) < 0)
		return -1;
	if (loop_timer_init(&e->tick, e->loop, on_tick, e) < 0)
		return err_oom(why);
	loop_timer_set(&e->tick, 0);
	return 0;
}

void engine_stop(struct engine *e)
{
	e->is_stopping = true;
	e->give_up_at = clock_mono_ms() + GRACE_MS;
	if (!e->is_active && !e->is_committing)
		e->stopped(e->stopped_arg);
}

void engine_free(struct engine *e)
{
	fetch_close(e->fetch);
	while (e->targets) {
		struct target *t = e->targets;

		e->targets = t->next;
		target_free(t);
	}
	command_deinit(&e->batch.words);
	loop_timer_deinit(&e->tick);
}
