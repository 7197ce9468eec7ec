/* A site: deliveries that wait for it, slots that are granted, and what more it would take. */
#include "smtp/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/store/queue/slots.h"

#define AHEAD_US 50000 /* work that may wait at a channel: what it does in 50 ms */
#define AHEAD_MAX 32

/* ---- sites ---- */

static void pump(void *arg);

struct site *site_get(struct relay *r, const char *name)
{
	struct site *s;

	for (s = r->sites; s; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->relay = r;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->last = &s->first;
	if (loop_post_init(&s->pump, r->loop, pump, s) < 0)
		abort();
	s->next = r->sites;
	r->sites = s;
	return s;
}

static void site_free(struct site *s)
{
	struct site **p = &s->relay->sites;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	loop_post_deinit(&s->pump);
	free(s);
}

static struct slots *slots_of(struct site *s, unsigned partition)
{
	for (int i = 0; i < SITE_PARTITIONS; i++)
		if (s->slots[i].n_held && s->slots[i].partition == partition)
			return &s->slots[i];
	return NULL;
}

static struct slots *new_slots(struct site *s, unsigned partition)
{
	for (int i = 0; i < SITE_PARTITIONS; i++) {
		if (s->slots[i].n_held)
			continue;
		s->slots[i].partition = partition;
		return &s->slots[i];
	}
	return NULL;
}

unsigned site_held(struct site *s, unsigned partition)
{
	const struct slots *slots = slots_of(s, partition);

	return slots ? slots->n_held : 0;
}

unsigned site_free_slots(const struct site *s)
{
	unsigned n = 0;

	for (int i = 0; i < SITE_PARTITIONS; i++)
		n += s->slots[i].n_free;
	return n;
}

/* Slots on their way back to the store. */
struct leaving {
	struct relay *relay;
	char site[ROUTE_SITE_MAX];
	unsigned partition, count;
};

static void slot_given(const struct err *why, void *arg)
{
	struct leaving *l = arg;
	struct relay *r = l->relay;

	(void)why;
	for (struct site *s = r->sites; s; s = s->next) {
		struct slots *slots = strcmp(s->name, l->site) ? NULL : slots_of(s, l->partition);

		if (!slots)
			continue;
		slots->n_held -= l->count < slots->n_held ? l->count : slots->n_held;
		site_pump(s);
		break;
	}
	free(l);
	relay_look(r);
}

void site_give_slot(struct site *s, unsigned partition, unsigned count)
{
	struct leaving *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->relay = s->relay;
	l->partition = partition;
	l->count = count;
	snprintf(l->site, sizeof(l->site), "%s", s->name);
	slots_give_back(s->relay->redis, s->relay->owner, partition, s->name, count, slot_given, l);
}

void site_grant(struct site *s, unsigned partition, unsigned count)
{
	struct slots *slots = slots_of(s, partition);

	s->has_moved = false;
	if (!slots)
		slots = new_slots(s, partition);
	if (!slots) {
		site_give_slot(s, partition, count);
		return;
	}
	slots->n_held += count;
	slots->n_free += count;
}

void site_reuse_slot(struct site *s, unsigned partition)
{
	struct slots *slots = slots_of(s, partition);

	if (slots)
		slots->n_free++;
}

static struct slots *any_free(struct site *s)
{
	for (int i = 0; i < SITE_PARTITIONS; i++)
		if (s->slots[i].n_free)
			return &s->slots[i];
	return NULL;
}

bool site_has_slots(const struct site *s)
{
	for (int i = 0; i < SITE_PARTITIONS; i++)
		if (s->slots[i].n_held)
			return true;
	return false;
}

void site_drop_grants(struct site *s)
{
	struct slots *slots;

	while ((slots = any_free(s))) {
		site_give_slot(s, slots->partition, slots->n_free);
		slots->n_free = 0;
	}
}

void site_wait(struct site *s, struct delivery *d)
{
	d->stage = DELIVERY_WAITING;
	d->after = NULL;
	*s->last = d;
	s->last = &d->after;
	s->n_waiting++;
}

void site_wait_first(struct site *s, struct delivery *d)
{
	d->stage = DELIVERY_WAITING;
	d->after = s->first;
	s->first = d;
	if (!d->after)
		s->last = &d->after;
	s->n_waiting++;
}

struct delivery *site_next(struct site *s)
{
	struct delivery *d = s->first;

	if (!d)
		return NULL;
	s->first = d->after;
	if (!s->first)
		s->last = &s->first;
	s->n_waiting--;
	return d;
}

/* ---- what it would take ---- */

static unsigned ahead(const struct site *s)
{
	int64_t n = s->took_us > 0 ? AHEAD_US / s->took_us : 1;

	return n < 1 ? 1 : n > AHEAD_MAX ? AHEAD_MAX : (unsigned)n;
}

unsigned site_want(const struct site *s)
{
	unsigned depth = ahead(s), room = s->n_ready * depth;
	unsigned has = s->n_waiting + (s->n_ready - s->n_idle);

	if (s->is_dry || has >= room || (depth > 1 && has > room / 2))
		return 0; /* half empty first: few large takes, not many small ones */
	return room - has;
}

unsigned site_grow(const struct site *s)
{
	if (s->is_dry || s->is_at_limit || !s->has_moved || s->n_ready == 0 || s->n_connecting ||
	    site_free_slots(s) || clock_mono_ms() < s->hold_until)
		return 0;
	return s->n_ready;
}

/* ---- deliveries and channels ---- */

void site_fail_waiting(struct site *s, const struct connection_result *failure,
		       const struct attempt_source *source)
{
	struct delivery *d;

	while ((d = site_next(s)))
		delivery_fail(d, failure, source);
}

static void give_back_waiting(struct site *s)
{
	struct delivery *d;

	while ((d = site_next(s)))
		delivery_give_back(d, NULL);
}

void site_pump(struct site *s)
{
	loop_post(&s->pump);
}

static void pump(void *arg)
{
	struct site *s = arg;
	struct relay *r = s->relay;
	struct channel *l;
	struct slots *slots;

	while (s->first && (l = channel_idle(s, s->first)))
		channel_feed(l);
	/* One channel on its way for each delivery that waits; slots beyond that are given up. */
	while (s->n_waiting > s->n_connecting && (slots = any_free(s))) {
		slots->n_free--;
		channel_open(s, slots->partition);
	}
	if (s->n_waiting + s->n_coming <= s->n_connecting)
		site_drop_grants(s);
	if (s->first && s->n_lines == 0 && site_free_slots(s) == 0)
		give_back_waiting(s); /* their slot went with a channel that ended */
	relay_look(r);
	if (!s->first && !s->n_coming && s->n_lines == 0 && !site_has_slots(s) &&
	    clock_mono_ms() >= s->hold_until)
		site_free(s);
}

void site_close_idle(struct site *s)
{
	give_back_waiting(s);
	site_drop_grants(s);
	channel_end_idle(s);
}

void site_free_all(struct relay *r)
{
	for (struct site *s = r->sites; s; s = s->next)
		channel_free_all(s);
	while (r->sites)
		site_free(r->sites); /* NOLINT(clang-analyzer-unix.Malloc): what is freed was
					unlinked first */
}
