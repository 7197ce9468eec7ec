/* The active hooks process: loads the endpoints, and runs them on a timer. */
#include "server/hooks/engine.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/redis/redis.h"

#define TICK_MS 50
#define LOAD_EVERY_MS 500
#define GRACE_MS 2000 /* for open requests when the process stops */
#define CONNECTIONS_MAX 256

/* ---- the lease ---- */

static void stop_now(struct engine *e)
{
	e->shared.is_stopping = true;
	e->stopped(e->stopped_arg);
}

static void on_committed(bool is_ours, void *arg)
{
	struct engine *e = arg;
	const struct lease *lease = &e->shared.lease;

	if (!is_ours && lease->is_held && !e->shared.is_stopping) {
		/* Another process now delivers from the committed state, so this one stops. */
		LOG(LOG_WARN, "hooks.lease_lost", LOG_S("hint", "another process has it"));
		stop_now(e);
	} else if (lease->is_given_up || (e->shared.is_stopping && !lease->is_held)) {
		e->stopped(e->stopped_arg);
	}
}

/* ---- the endpoints ---- */

static struct target *find(struct engine *e, const char *id)
{
	for (struct target *t = e->targets; t; t = t->next)
		if (!t->is_gone && strcmp(t->endpoint.id, id) == 0)
			return t;
	return NULL;
}

static void free_gone(struct engine *e)
{
	struct target **at = &e->targets, *t;

	while ((t = *at)) {
		if (t->is_gone && target_is_idle(t)) {
			*at = t->next;
			target_free(t);
		} else {
			at = &t->next;
		}
	}
}

/* An endpoint that was disabled and enabled again may still have open requests from before. */
static bool is_leaving(const struct engine *e, const char *id)
{
	for (const struct target *t = e->targets; t; t = t->next)
		if (t->is_gone && strcmp(t->endpoint.id, id) == 0)
			return true;
	return false;
}

static struct target *add_target(struct engine *e, struct deliveries_endpoint *take)
{
	struct target *t = target_new(&e->shared, take);

	if (!t)
		return NULL;
	t->next = e->targets;
	e->targets = t;
	return t;
}

static void take_endpoint(struct engine *e, struct deliveries_endpoint *take)
{
	struct target *t = find(e, take->endpoint.id);

	if (!take->endpoint.is_enabled)
		return;
	if (t)
		target_update(t, take, e->loaded_after);
	else if (!is_leaving(e, take->endpoint.id))
		t = add_target(e, take);
	if (t)
		t->is_listed = true;
	else
		e->version = -1;
}

static void take_all(struct engine *e, struct deliveries_endpoint *list, size_t n, int64_t version)
{
	size_t count = 0;

	e->version = version; /* take_endpoint may set it back */
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

static void on_loaded(struct deliveries_endpoint *list, size_t n, int64_t version,
		      const struct err *why, void *arg)
{
	struct engine *e = arg;

	e->is_loading = false;
	if (why)
		return;
	if (version != e->version)
		take_all(e, list, n, version);
	webhook_tests_start_waiting(&e->tests);
}

static void load(struct engine *e, int64_t now)
{
	if (e->is_loading || now < e->load_at)
		return;
	e->load_at = now + LOAD_EVERY_MS;
	e->is_loading = true;
	e->loaded_after = e->shared.lease.committed;
	deliveries_load(e->shared.redis, e->version, on_loaded, e);
}

/* ---- tests ---- */

static bool send_test(const struct webhook_test *test, void *arg)
{
	struct engine *e = arg;
	struct target *t = find(e, test->endpoint);

	if (!t) {
		e->load_at = 0;
		return false;
	}
	/* Without a secret, or at the end of the process, nothing can be sent. */
	if (t->secret && e->shared.fetch)
		target_send_test(t, test->event, test->project);
	return true;
}

/* ---- the timer ---- */

static int64_t oldest_ms(const struct target *t, int64_t oldest)
{
	for (size_t i = 0; i < t->n_feeds; i++)
		if (t->feeds[i]->first && t->feeds[i]->first->at.ms < oldest)
			oldest = t->feeds[i]->first->at.ms;
	return oldest;
}

static void measure(const struct engine *e)
{
	int64_t now = clock_real_ms() + redis_clock_offset_ms(e->shared.redis, 0), oldest = now;
	size_t retries = 0;

	for (const struct target *t = e->targets; t; t = t->next) {
		retries += t->retries.n;
		oldest = oldest_ms(t, oldest);
	}
	metric_set(METRIC_WEBHOOK_RETRIES, (int64_t)retries);
	metric_set(METRIC_WEBHOOK_LAG_MS, now - oldest);
}

/* Ends requests that hang, so that the next process need not wait. It sends these events again. */
static void end_requests(struct engine *e)
{
	if (e->shared.shares.in_flight)
		LOG(LOG_WARN, "hooks.cut_short", LOG_N("posts", e->shared.shares.in_flight));
	fetch_close(e->shared.fetch);
	e->shared.fetch = NULL;
	e->shared.shares.in_flight = 0;
}

static void on_tick(void *arg)
{
	struct engine *e = arg;
	struct hooks_shared *shared = &e->shared;
	int64_t now = clock_mono_ms();

	loop_timer_set(&e->tick, TICK_MS);
	free_gone(e);
	if (shared->is_stopping && shared->fetch &&
	    (shared->shares.in_flight == 0 || now >= e->give_up_at))
		end_requests(e);
	if (!redis_is_connected(shared->redis))
		return;
	lease_tick(&shared->lease, now, !shared->fetch);
	if (!shared->lease.is_held || shared->is_stopping)
		return;
	load(e, now);
	if (e->targets)
		webhook_tests_tick(&e->tests, now);
	news_look(&e->news);
	for (struct target *t = e->targets; t; t = t->next)
		target_go_on(t);
	measure(e);
}

/* ---- begin and end ---- */

int engine_start(struct engine *e, struct err *why)
{
	struct hooks_shared *shared = &e->shared;
	const char *ca_file = shared->config->webhook_ca_file;
	struct fetch_options options = {.allow_private = shared->config->webhook_allow_private,
					.ca_file = *ca_file ? ca_file : NULL,
					.max_connections = CONNECTIONS_MAX};

	e->version = -1;
	e->news = (struct news){.shared = shared, .targets = &e->targets};
	lease_init(&shared->lease, shared->redis, on_committed, e);
	webhook_tests_init(&e->tests, shared, send_test, e);
	if (fetch_open(&shared->fetch, e->loop, &options, why) < 0)
		return -1;
	if (loop_timer_init(&e->tick, e->loop, on_tick, e) < 0)
		return err_oom(why);
	loop_timer_set(&e->tick, 0);
	return 0;
}

void engine_stop(struct engine *e)
{
	e->shared.is_stopping = true;
	e->give_up_at = clock_mono_ms() + GRACE_MS;
	if (!e->shared.lease.is_held && !e->shared.lease.is_committing)
		e->stopped(e->stopped_arg);
}

void engine_free(struct engine *e)
{
	fetch_close(e->shared.fetch);
	while (e->targets) {
		struct target *t = e->targets;

		e->targets = t->next;
		target_free(t);
	}
	lease_deinit(&e->shared.lease);
	loop_timer_deinit(&e->tick);
}
