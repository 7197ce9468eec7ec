/* Gives the deliveries of a site to its channels. */
#include "smtp/relay/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/links.h"
#include "server/base/log.h"
#include "server/store/queue/rest.h"
#include "smtp/relay/context.h"
#include "smtp/sink.h"

#define AHEAD_US 50000 /* so many jobs may wait for a channel as it delivers in 50 ms */
#define AHEAD_MAX 32
#define HOLD_MS 60000 /* after a refused connection: open no further channel */

static const struct channel_callbacks callbacks;
static void run_pump(void *arg);

/* ---- life ---- */

static unsigned list_of(const char *name)
{
	unsigned hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return (hash ^ hash >> 8) % SITE_LISTS;
}

struct site *site_find(const struct sites *sites, const char *name)
{
	struct site *s = sites->lists[list_of(name)];

	while (s && strcmp(s->name, name) != 0)
		s = s->next_in_list;
	return s;
}

static void link_site(struct sites *sites, struct site *s)
{
	unsigned list = list_of(s->name);

	LINKS_ADD(sites->first, s);
	s->next_in_list = sites->lists[list];
	sites->lists[list] = s;
}

static void unlink_site(struct site *s)
{
	struct site **p = &s->sites->lists[list_of(s->name)];

	LINKS_REMOVE(s->sites->first, s);
	while (*p != s)
		p = &(*p)->next_in_list;
	*p = s->next_in_list;
}

struct site *site_get(struct sites *sites, const char *name)
{
	struct site *s = site_find(sites, name);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || loop_post_init(&s->pump, sites->context->loop, run_pump, s) < 0) {
		LOG(LOG_ERROR, "site.no_memory", LOG_S("site", name));
		free(s);
		return NULL;
	}
	s->sites = sites;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->channels = (struct channel_pool){.context = sites->context,
					    .site = s->name,
					    .callbacks = &callbacks,
					    .arg = s,
					    .n_open = &sites->n_channels};
	link_site(sites, s);
	return s;
}

static void free_site(struct site *s)
{
	unlink_site(s);
	loop_post_deinit(&s->pump);
	free(s);
}

void site_pump(struct site *s)
{
	loop_post(&s->pump);
}

void site_grant(struct site *s, unsigned partition, const char *tenant, unsigned count)
{
	s->has_moved = false;
	site_slots_grant(s, partition, tenant, count);
	site_pump(s);
}

/* ---- how much it could use ---- */

/* Jobs that may wait for one channel. */
static unsigned queue_depth(const struct site *s)
{
	int64_t n = s->took_us > 0 ? AHEAD_US / s->took_us : 1;

	return n < 1 ? 1 : n > AHEAD_MAX ? AHEAD_MAX : (unsigned)n;
}

unsigned site_wanted_jobs(const struct site *s)
{
	unsigned depth = queue_depth(s), room = channel_count_ready(&s->channels) * depth;
	unsigned has = s->waiting.n + s->channels.lists[CHANNEL_BUSY].n;

	/* Ask only when half empty: few large takes, not many small ones. */
	if (has >= room || (depth > 1 && has > room / 2))
		return 0;
	return room - has;
}

unsigned site_wanted_slots(const struct site *s)
{
	if (!s->has_moved || s->channels.lists[CHANNEL_CONNECTING].n || s->slots.n_free ||
	    clock_mono_ms() < s->hold_until)
		return 0;
	return channel_count_ready(&s->channels);
}

/* ---- deliveries and channels ---- */

void site_wait(struct site *s, struct delivery *d, bool is_first)
{
	delivery_set_move(d, DELIVERY_WAITING, &s->waiting, is_first);
	site_pump(s);
}

static void give_back_waiting(struct site *s)
{
	while (s->waiting.first)
		delivery_give_back(s->waiting.first, NULL);
}

/* Gives an idle channel the next delivery that it can carry. */
static void feed_channel(struct site *s, struct channel *c)
{
	const struct delivery *next;

	if (channel_is_worn(c) || s->sites->context->is_draining) {
		channel_end(c);
		return;
	}
	while ((next = s->waiting.first) && !delivery_avoids(next, channel_host(c)))
		if (channel_carry(c, s->waiting.first) == 0)
			return;
}

/* If the first delivery needs another host and no slot is free: ends an idle channel. */
static void make_room(struct site *s)
{
	struct channel *idle = s->channels.lists[CHANNEL_IDLE].first;

	if (s->waiting.first && s->waiting.first->n_avoided && idle && !s->slots.n_free &&
	    !s->channels.lists[CHANNEL_CONNECTING].n &&
	    !channel_find_idle(&s->channels, s->waiting.first))
		channel_end(idle);
}

/* The first waiting delivery for which no channel is being opened. There is one. */
static const struct delivery *next_without_channel(const struct site *s)
{
	const struct delivery *d = s->waiting.first;

	for (unsigned n = s->channels.lists[CHANNEL_CONNECTING].n; n; n--)
		d = d->queue_next;
	return d;
}

/* Opens channels: one for each waiting delivery, as far as slots are free. */
static void open_channels(struct site *s)
{
	struct slot *slot;
	struct err e;

	while (s->waiting.n > s->channels.lists[CHANNEL_CONNECTING].n &&
	       (slot = site_slots_take(s))) {
		if (channel_open(&s->channels, slot, next_without_channel(s), &e) == 0)
			continue;
		LOG(LOG_ERROR, "channel.no_memory", LOG_S("site", s->name));
		site_slots_return(s, slot);
	}
}

static bool is_unused(const struct site *s)
{
	return !s->waiting.n && !s->coming.n && channel_count(&s->channels) == 0 &&
	       !site_slots_any(s) && clock_mono_ms() >= s->hold_until;
}

static void run_pump(void *arg)
{
	struct site *s = arg;
	struct sites *sites = s->sites;
	struct channel *c;

	while (s->waiting.first && (c = channel_find_idle(&s->channels, s->waiting.first)))
		feed_channel(s, c);
	make_room(s);
	open_channels(s);
	if (s->waiting.n + s->coming.n <= s->channels.lists[CHANNEL_CONNECTING].n)
		site_slots_return_free(s);
	if (s->waiting.n && channel_count(&s->channels) == 0 && s->slots.n_free == 0)
		give_back_waiting(s); /* the channel that they waited for has ended */
	if (is_unused(s))
		free_site(s);
	sites->on_change(sites->arg);
}

/* ---- callbacks of the channels ---- */

/* No session with the site could be opened. If this relay has other channels to it, it opens no
 * further one for a while. Without one, all relays leave the site alone (lua/queue/rest.lua), and
 * the site is freed here: there can be thousands of them. */
static void leave_alone(struct site *s, unsigned n_others, const struct connection_result *why)
{
	if (n_others)
		s->hold_until = clock_mono_ms() + HOLD_MS;
	else if (strcmp(s->name, SINK_SITE) != 0)
		rest_site(s->sites->context->redis, s->name, why->code, why->text);
}

static void on_idle(struct channel *c, void *arg)
{
	struct site *s = arg;

	feed_channel(s, c);
	make_room(s);
	s->sites->on_change(s->sites->arg);
}

static void on_done(const struct channel_done *done, void *arg)
{
	struct site *s = arg;
	int64_t took_us = done->took_ms ? done->took_ms * 1000 : 500;

	s->has_moved = true;
	s->took_us += (took_us - s->took_us) / 8;
	if (done->refusal)
		leave_alone(s, channel_count_ready(&s->channels) - 1, done->refusal);
}

/* A channel that was opened to the hosts left for one delivery has failed. Returns that delivery if
 * it still waits, or NULL. */
static struct delivery *find_waiting_for(const struct site *s, const struct route *route)
{
	struct delivery *d = s->waiting.first;

	while (d && !(d->n_avoided && delivery_has_hosts(d, route)))
		d = d->queue_next;
	return d;
}

static void on_failed(const struct channel_failure *failure, void *arg)
{
	struct site *s = arg;
	struct delivery *d = failure->is_partial ? find_waiting_for(s, failure->route) : NULL;

	if (d)
		delivery_fail(d, failure->result, failure->source);
	if (!failure->is_partial && failure->result->outcome == OUTCOME_DEFERRED)
		leave_alone(s, channel_count_ready(&s->channels), failure->result);
	/* After the rest call, so that no relay takes the slot before it. */
	site_slots_return(s, failure->slot);
	if (channel_count(&s->channels) == 0 && !failure->is_partial) {
		site_slots_return_free(s);
		if (failure->is_untried)
			give_back_waiting(s);
		while (s->waiting.first)
			delivery_fail(s->waiting.first, failure->result, failure->source);
	}
	site_pump(s);
}

static void on_closed(struct slot *slot, bool has_yielded, void *arg)
{
	struct site *s = arg;

	if (s->waiting.n && !has_yielded && !s->sites->context->is_draining)
		site_slots_free(s, slot);
	else
		site_slots_return(s, slot);
	s->sites->on_change(s->sites->arg);
	site_pump(s);
}

static const struct channel_callbacks callbacks = {on_idle, on_done, on_failed, on_closed};

/* ---- the end ---- */

void site_drain(struct site *s)
{
	give_back_waiting(s);
	site_slots_return_free(s);
	channel_end_unused(&s->channels);
}

void site_free_all(struct sites *sites)
{
	struct slot *slot;

	for (struct site *s = sites->first; s; s = s->next) {
		channel_free_all(&s->channels);
		while ((slot = site_slots_take(s)))
			site_slots_forget(&sites->context->shares, slot);
	}
	while (sites->first)
		free_site(sites->first); /* NOLINT(clang-analyzer-unix.Malloc): unlinked first */
}
