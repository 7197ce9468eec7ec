/* The store of a process: its connections to Redis, and what the parts keep in it. */
#include "server/redis/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/redis/conn.h"
#include "server/redis/internal.h"

#define TICK_MS 200

static void tick(void *arg)
{
	struct store *s = arg;

	loop_timer_set(&s->tick, TICK_MS);
	for (int i = 0; i < STORE_LINKS; i++)
		link_tick(&s->links[i]);
	health_tick(s);
}

void store_call(struct store *s, struct command *take, unsigned conn, int64_t limit_ms, call_fn *fn,
		void *arg)
{
	link_call(&s->links[conn % STORE_LINKS], take, limit_ms, fn, arg);
}

int store_open(struct store **out, struct loop *loop, const struct config *config, unsigned needs,
	       struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom(e);
	s->loop = loop;
	s->config = config;
	s->partitions = 1;
	snprintf(s->health.lost_why, sizeof(s->health.lost_why), "not connected yet");
	if (store_url_parse(config, &s->url, e) < 0 ||
	    instance_load(&s->instance, config->data_dir, e) < 0) {
		free(s);
		return -1;
	}
	for (int i = 0; i < STORE_LINKS; i++) {
		struct link *l = &s->links[i];

		l->store = s;
		l->conn = conn_new(loop, &s->url,
				   &(struct conn_events){handshake_connected, handshake_lost, l});
		if (!l->conn) {
			store_close(s);
			return err_oom(e);
		}
	}
	if (needs & STORE_SUBSCRIBER)
		s->listener = listener_new(s, &s->url);
	if (((needs & STORE_SUBSCRIBER) && !s->listener) ||
	    loop_timer_init(&s->tick, loop, tick, s) < 0) {
		store_close(s);
		return err_oom(e);
	}
	loop_timer_set(&s->tick, TICK_MS);
	*out = s;
	return 0;
}

static void abandon_calls(struct store *s)
{
	for (int i = 0; i < STORE_LINKS; i++)
		link_abandon(&s->links[i]);
}

/* Calls before parts: what a call brought along may end up waiting in a part. And once more, for
 * what those who were told asked on. */
void store_abandon(struct store *s)
{
	if (!s)
		return;
	abandon_calls(s);
	for (int i = 0; i < STORE_PARTS; i++)
		if (s->parts[i].state && s->parts[i].kind->abandon)
			s->parts[i].kind->abandon(s->parts[i].state);
	abandon_calls(s);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (int i = 0; i < STORE_PARTS; i++)
		if (s->parts[i].state)
			s->parts[i].kind->free_fn(s->parts[i].state);
	loop_timer_deinit(&s->tick);
	listener_free(s->listener);
	for (int i = 0; i < STORE_LINKS; i++)
		link_close(&s->links[i]);
	free(s->health.info);
	free(s);
}

bool store_is_ready(const struct store *s, const char **why)
{
	const char *reason = NULL;

	if (!store_is_connected(s))
		reason = s->health.lost_why;
	else if (!s->health.check.is_able ||
		 (!s->health.check.holds && s->config->durability != DURABILITY_RELAXED))
		reason = s->health.check.why;
	if (why)
		*why = reason;
	return !reason;
}

bool store_is_connected(const struct store *s)
{
	return s->links[0].is_up && s->links[1].is_up;
}

const char *store_durability(const struct store *s)
{
	return s->health.check.holds ? "fsync" : "relaxed";
}

int64_t store_clock_offset_ms(const struct store *s)
{
	return s->offset_ms;
}

void store_saw_time(struct store *s, int64_t redis_ms)
{
	s->offset_ms = redis_ms - clock_real_ms();
}

unsigned store_partitions(const struct store *s)
{
	return s->partitions;
}

void *store_part(struct store *s, enum store_part which, const struct store_part_kind *kind)
{
	if (!s->parts[which].state) {
		s->parts[which].state = kind->make(s);
		s->parts[which].kind = kind;
	}
	return s->parts[which].state;
}

struct loop *store_loop(struct store *s)
{
	return s->loop;
}

const struct config *store_config(const struct store *s)
{
	return s->config;
}

void store_listen(struct store *s, const char *name, channel_fn *fn, void *arg)
{
	if (s->listener)
		listener_add(s->listener, name, fn, arg);
}

/* Looks every 20 ms whether the store is ready, until the limit. */
struct wait {
	struct store *store;
	struct loop_timer timer;
	int64_t limit_at;
};

static void wait_look(void *arg)
{
	struct wait *w = arg;

	if (store_is_ready(w->store, NULL) || clock_mono_ms() >= w->limit_at)
		loop_stop(w->store->loop);
	else
		loop_timer_set(&w->timer, 20);
}

int store_wait_ready(struct store *s, int64_t ms, struct err *e)
{
	struct wait w = {.store = s, .limit_at = clock_mono_ms() + ms};
	const char *why;

	if (loop_timer_init(&w.timer, s->loop, wait_look, &w) < 0)
		return err_oom(e);
	loop_timer_set(&w.timer, 0);
	loop_run(s->loop);
	loop_timer_deinit(&w.timer);
	if (!store_is_ready(s, &why))
		return err_set(e, ERR_RETRY, "the store is not ready: %s", why);
	return 0;
}
