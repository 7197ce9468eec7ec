#ifndef SMTP_RELAY_SITE_SLOTS_H
#define SMTP_RELAY_SITE_SLOTS_H

#include <stdbool.h>

/* The slots of a site: granted by the store, used by channels, given back. */

struct share;
struct shares;
struct site;

#define SITE_PARTITIONS 8 /* at most so many partitions can grant slots to a site */

/* One slot that may be used. Owned by the site while it is free, else by the channel that uses it.
 */
struct slot {
	struct slot *next;
	unsigned partition;
	struct share *share; /* of the tenant that it was granted for */
};

/* Zeroed is valid. */
struct site_slots {
	struct slot *free; /* no channel uses them yet */
	unsigned n_free;
	struct {
		unsigned partition;
		unsigned n; /* all that the store counts as ours, also those being given back */
	} held[SITE_PARTITIONS];
};

/* The store granted slots for jobs of the tenant. */
void site_slots_grant(struct site *s, unsigned partition, const char *tenant, unsigned count);
/* Takes a free slot. NULL: there is none. */
struct slot *site_slots_take(struct site *s);
/* The slot is free for another channel of the site. */
void site_slots_free(struct site *s, struct slot *slot);
/* Gives the slot back to the store. It counts as held until the store has replied. */
void site_slots_return(struct site *s, struct slot *slot);
/* The same for all free slots. */
void site_slots_return_free(struct site *s);

unsigned site_slots_held(const struct site *s, unsigned partition);
bool site_slots_any(const struct site *s); /* true if some are held */
/* Forgets the slot, with its share. For the end of the process: the store is not asked. */
void site_slots_forget(struct shares *shares, struct slot *slot);

#endif
