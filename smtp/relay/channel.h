#ifndef SMTP_RELAY_CHANNEL_H
#define SMTP_RELAY_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/route/route.h"
#include "smtp/client/connection.h"

/* A channel: one slot of a site and the connection under it. It tries the hosts of a route until
 * a session is ready, then carries deliveries one after the other. */

struct attempt_source;
struct channel;
struct delivery;
struct relay_context;

enum channel_state {
	CHANNEL_CONNECTING, /* no session is ready yet */
	CHANNEL_IDLE,
	CHANNEL_BUSY,   /* has a delivery, or its transaction is still ending */
	CHANNEL_ENDING, /* takes no more deliveries */
	CHANNEL_STATES
};

struct channel_list {
	struct channel *first;
	unsigned n;
};

/* No session with any host of the route became ready. Borrowed for the call. */
struct channel_failure {
	struct slot *slot;         /* the owner takes it */
	const struct route *route; /* of the delivery that it was opened for */
	bool is_partial;           /* hosts that failed for that delivery were not tried */
	bool is_untried;           /* no host was tried: too many connections to their addresses
				      are not ready */
	const struct connection_result *result;
	const struct attempt_source *source; /* the last host */
};

/* A transaction ended. */
struct channel_done {
	int64_t took_ms;
	const struct connection_result *refusal; /* 421 to the first MAIL, and no other host was
						    left; NULL = none */
};

struct channel_callbacks {
	/* The channel is idle: it may carry a delivery (channel_carry) or end (channel_end). */
	void (*on_idle)(struct channel *c, void *arg);
	/* A transaction ended, and its delivery has the results. on_idle or on_closed follows. */
	void (*on_done)(const struct channel_done *done, void *arg);
	/* The channel is gone. May be called within channel_open. */
	void (*on_failed)(const struct channel_failure *failure, void *arg);
	/* The channel is gone. The owner takes the slot. has_yielded: other sites need it. */
	void (*on_closed)(struct slot *slot, bool has_yielded, void *arg);
};

/* The channels of one site, each on the list of its state. The owner fills in all but lists. */
struct channel_pool {
	struct relay_context *context;
	const char *site;
	const struct channel_callbacks *callbacks;
	void *arg;
	unsigned *n_open;                          /* channels of all pools */
	struct channel_list lists[CHANNEL_STATES]; /* written by one function of channel.c */
};

unsigned channel_count(const struct channel_pool *pool);       /* all */
unsigned channel_count_ready(const struct channel_pool *pool); /* idle and busy */

/* Opens a channel on the route of d, and takes the slot. ERR_INTERNAL: out of memory; the slot is
 * still the caller's. */
int channel_open(struct channel_pool *pool, struct slot *slot, const struct delivery *d,
		 struct err *e) __attribute__((warn_unused_result));
/* An idle channel to a host that d does not avoid, or NULL. */
struct channel *channel_find_idle(const struct channel_pool *pool, const struct delivery *d);
/* Sends d on an idle channel. -1: d was given back or settled; the channel is still idle. */
int channel_carry(struct channel *c, struct delivery *d);
const char *channel_host(const struct channel *c);
/* True if it has carried many deliveries or is old: end it, so that another site or relay can get
 * the slot. */
bool channel_is_worn(const struct channel *c);
/* Sends QUIT if idle; a transaction is cut off. on_closed follows. */
void channel_end(struct channel *c);
/* Ends a channel that is connecting, idle or before the body of a mail, because other mail needs
 * its connection. on_failed or on_closed follows. The mail is deferred: no other host is tried. */
void channel_yield(struct channel *c);
/* True after channel_yield: on_failed or on_closed is still to come. */
bool channel_has_yielded(const struct channel *c);
/* True if it is busy, and waits for a reply to MAIL, RCPT or DATA. */
bool channel_is_before_body(const struct channel *c);
/* Since when it connects to its host, is idle, or waits for its reply (monotonic ms). */
int64_t channel_since_ms(const struct channel *c);
/* True if it waits until fewer connections to its host are connecting. */
bool channel_waits_for_address(const struct channel *c);
/* The connections of the tenant that it counts for. */
unsigned channel_share(const struct channel *c);
/* The next one of its list. */
struct channel *channel_next(const struct channel *c);
/* Ends all channels without a delivery. */
void channel_end_unused(struct channel_pool *pool);
/* Frees all channels at once; no callback is called. */
void channel_free_all(struct channel_pool *pool);

#endif
