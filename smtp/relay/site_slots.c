/* Keeps the counts of a site's slots, and gives slots back to the store. */
#include "smtp/relay/site_slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"
#include "server/store/queue/slots.h"
#include "smtp/limits/shares.h"
#include "smtp/relay/context.h"
#include "smtp/relay/site.h"

unsigned site_slots_held(const struct site *s, unsigned partition)
{
	unsigned n = 0;

	for (int i = 0; i < SITE_PARTITIONS; i++)
		n += s->slots.held[i].partition == partition ? s->slots.held[i].n : 0;
	return n;
}

bool site_slots_any(const struct site *s)
{
	unsigned n = 0;

	for (int i = 0; i < SITE_PARTITIONS; i++)
		n += s->slots.held[i].n;
	return n > 0;
}

/* The count of the partition, or an unused one. NULL: all are used by other partitions. */
static unsigned *count_for(struct site *s, unsigned partition)
{
	int unused = -1;

	for (int i = 0; i < SITE_PARTITIONS; i++) {
		if (s->slots.held[i].n && s->slots.held[i].partition == partition)
			return &s->slots.held[i].n;
		if (!s->slots.held[i].n && unused < 0)
			unused = i;
	}
	if (unused < 0)
		return NULL;
	s->slots.held[unused].partition = partition;
	return &s->slots.held[unused].n;
}

/* ---- back to the store ---- */

/* Slots that are being given back. */
struct return_trip {
	struct sites *sites;
	char site[ROUTE_SITE_MAX];
	unsigned partition, count;
};

static void drop_held(struct site *s, unsigned partition, unsigned count)
{
	unsigned *held = count_for(s, partition);

	if (held)
		*held -= count < *held ? count : *held;
	site_pump(s);
}

static void on_returned(const struct err *why, void *arg)
{
	struct return_trip *trip = arg;
	struct sites *sites = trip->sites;
	struct site *s = site_find(sites, trip->site);

	(void)why;
	if (s)
		drop_held(s, trip->partition, trip->count);
	free(trip);
	sites->on_change(sites->arg);
}

static void give_back(struct site *s, unsigned partition, unsigned count)
{
	struct relay_context *c = s->sites->context;
	struct return_trip *trip = calloc(1, sizeof(*trip));

	if (!trip) { /* the count is too low until the next full report to the store */
		slots_give_back(c->redis, c->owner, partition, s->name, count, NULL, NULL);
		drop_held(s, partition, count);
		return;
	}
	trip->sites = s->sites;
	trip->partition = partition;
	trip->count = count;
	snprintf(trip->site, sizeof(trip->site), "%s", s->name);
	slots_give_back(c->redis, c->owner, partition, s->name, count, on_returned, trip);
}

void site_slots_forget(struct shares *shares, struct slot *slot)
{
	shares_drop(shares, slot->share);
	free(slot);
}

void site_slots_return(struct site *s, struct slot *slot)
{
	unsigned partition = slot->partition;

	site_slots_forget(&s->sites->context->shares, slot);
	give_back(s, partition, 1);
}

void site_slots_return_free(struct site *s)
{
	struct slot *slot;

	while ((slot = site_slots_take(s)))
		site_slots_return(s, slot);
}

/* ---- free slots ---- */

struct slot *site_slots_take(struct site *s)
{
	struct slot *slot = s->slots.free;

	if (!slot)
		return NULL;
	s->slots.free = slot->next;
	s->slots.n_free--;
	return slot;
}

void site_slots_free(struct site *s, struct slot *slot)
{
	slot->next = s->slots.free;
	s->slots.free = slot;
	s->slots.n_free++;
}

static struct slot *new_slot(struct shares *shares, unsigned partition, const char *tenant)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->partition = partition;
	slot->share = shares_add(shares, tenant);
	if (slot->share)
		return slot;
	free(slot);
	return NULL;
}

/* Returns how many could be added. */
static unsigned add_slots(struct site *s, unsigned partition, const char *tenant, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		struct slot *slot = new_slot(&s->sites->context->shares, partition, tenant);

		if (!slot)
			return n;
		site_slots_free(s, slot);
	}
	return count;
}

void site_slots_grant(struct site *s, unsigned partition, const char *tenant, unsigned count)
{
	unsigned *held = count_for(s, partition);
	unsigned added;

	if (!held) {
		give_back(s, partition, count);
		return;
	}
	*held += count;
	added = add_slots(s, partition, tenant, count);
	if (added == count)
		return;
	LOG(LOG_ERROR, "site.no_memory", LOG_S("site", s->name));
	give_back(s, partition, count - added);
}
