#ifndef SMTP_RELAY_SITE_H
#define SMTP_RELAY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/loop.h"
#include "server/route/route.h"
#include "smtp/relay/channel.h"
#include "smtp/relay/delivery.h"

/* A site: the deliveries that wait for it, the slots that the store granted, and the channels under
 * them. At the end of each loop turn it brings deliveries and channels together. It is freed when
 * nothing is left of it. */

struct relay_context;
struct sites;

#define SITE_PARTITIONS 8 /* a site has slots of at most so many partitions */

struct site_slots {
	unsigned partition;
	unsigned n_free; /* no channel uses them yet */
	unsigned n_held; /* all that the store counts as ours, also those on their way back */
};

/* What relay.c noted in the last round of takes. Written by relay.c alone. */
struct site_round {
	unsigned want, grow; /* asked of each partition: jobs, further slots */
	bool has_more;       /* some partition gave all of it */
	bool is_dry;         /* the queue had fewer jobs than were asked for */
	bool is_at_limit;    /* the store gave no further slot */
};

struct site {
	struct site *next;
	struct sites *sites;
	char name[ROUTE_SITE_MAX];
	struct delivery_queue coming;  /* they look up their route or content */
	struct delivery_queue waiting; /* for a channel */
	struct channel_pool channels;
	struct site_slots slots[SITE_PARTITIONS];
	struct site_round round;
	bool has_moved;     /* a transaction ended since slots were granted */
	int64_t hold_until; /* no further channel before (monotonic ms) */
	int64_t took_us;    /* a transaction, moving average */
	struct loop_post pump;
};

/* All sites of a relay. The owner fills in the first three fields. */
struct sites {
	struct relay_context *context;
	void (*on_change)(void *arg); /* there may be room for more work, or the last channel is
					 gone */
	void *arg;
	struct site *first;
	unsigned n_channels;
};

/* Makes the site where there is none. NULL: out of memory. */
struct site *site_get(struct sites *sites, const char *name);
/* The store granted slots. */
void site_grant(struct site *s, unsigned partition, unsigned count);
/* Queues d for a channel. */
void site_wait(struct site *s, struct delivery *d, bool is_first);
/* Brings deliveries and channels together at the end of this turn. */
void site_pump(struct site *s);

unsigned site_slots_held(const struct site *s, unsigned partition);
unsigned site_slots_free(const struct site *s);
bool site_has_slots(const struct site *s);
/* How many jobs, and how many further slots, it would take now. */
unsigned site_wanted_jobs(const struct site *s);
unsigned site_wanted_slots(const struct site *s);

/* Gives back what waits, the slots that no channel uses, and ends unused channels. */
void site_drain(struct site *s);
/* Frees all sites and channels; no callback fires. */
void site_free_all(struct sites *sites);

#endif
