#ifndef SMTP_RELAY_SITE_H
#define SMTP_RELAY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/loop.h"
#include "server/route/route.h"
#include "smtp/relay/channel.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/partition_set.h"
#include "smtp/relay/site_slots.h"

/* A site: its waiting deliveries, the slots that the store granted, and the channels that use them.
 * At the end of each loop turn it gives deliveries to channels. It is freed when it has none of
 * these. */

struct relay_context;
struct sites;

#define SITE_LISTS 256

/* The last round of takes. Written only by rounds.c. */
struct site_round {
	unsigned want, grow; /* asked of each partition: jobs, further slots */
	unsigned got;        /* jobs in the reply of one partition */
	bool got_slots;
	struct partition_set dry;      /* they had fewer jobs than asked for */
	struct partition_set at_limit; /* they granted no further slot */
};

struct site {
	struct site *next, *prev;  /* of all sites */
	struct site *next_in_list; /* of the hash */
	struct sites *sites;
	char name[ROUTE_SITE_MAX];
	struct delivery_queue coming;  /* they look up their route or content */
	struct delivery_queue waiting; /* for a channel */
	struct channel_pool channels;
	struct site_slots slots;
	struct site_round round;
	bool has_moved;     /* a transaction ended since slots were granted */
	int64_t hold_until; /* open no further channel before this time (monotonic ms) */
	int64_t took_us;    /* a transaction, moving average */
	struct loop_post pump;
};

/* All sites of a relay. The owner fills in the first three fields. */
struct sites {
	struct relay_context *context;
	/* There may be room for more work, or the last channel is gone. */
	void (*on_change)(void *arg);
	void *arg;
	struct site *first;
	struct site *lists[SITE_LISTS]; /* by a hash of the name */
	unsigned n_channels;
};

/* NULL: there is no site of this name. */
struct site *site_find(const struct sites *sites, const char *name);
/* Finds the site of this name, or makes it. NULL: out of memory. */
struct site *site_get(struct sites *sites, const char *name);
/* The store granted slots for jobs of the tenant. */
void site_grant(struct site *s, unsigned partition, const char *tenant, unsigned count);
/* Queues d for a channel; is_first: before the others. */
void site_wait(struct site *s, struct delivery *d, bool is_first);
/* Gives deliveries to channels at the end of this loop turn. */
void site_pump(struct site *s);

/* How many jobs, and how many further slots, the site could use now. */
unsigned site_wanted_jobs(const struct site *s);
unsigned site_wanted_slots(const struct site *s);

/* Gives back waiting deliveries and unused slots, and ends unused channels. */
void site_drain(struct site *s);
/* Frees all sites and channels; no callback is called. */
void site_free_all(struct sites *sites);

#endif
