#ifndef SMTP_RELAY_RELAY_H
#define SMTP_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/loop.h"
#include "server/route/route.h"
#include "server/store/queue/job.h"
#include "smtp/client/connection.h"
#include "smtp/client/transcript.h"

/* Inside the mail door. A relay takes jobs; each becomes a delivery, which finds its route and
 *waits at its site; a site has channels (connections under slots), and an idle channel carries the
 *next delivery.
 *
 *	relay (what to take) -> delivery (one job) -> site (who waits) -> channel (one connection)
 */

struct attempt;
struct config;
struct dkim_key;
struct journal;
struct router;
struct redis;
struct relay;
struct site;
struct channel;
struct sink;

/* ---- relay.c: what to take, and when ---- */

struct relay {
	const struct config *config;
	struct loop *loop;
	struct redis *redis;
	const char *owner;
	struct router *router;
	struct dkim_key *dkim; /* NULL = none */
	struct tls_context *tls;
	struct journal *journal;
	struct sink *sink;
	const char *helo_name;

	struct site *sites;
	struct delivery *deliveries; /* all that is in our hands */
	unsigned n_held;
	unsigned n_lines;
	size_t held_bytes;

	struct loop_post take_post;
	struct loop_timer poll, renew;
	unsigned takes_open; /* calls under way, at most one a partition: a round */
	bool wants_new;      /* sites unknown to us may have work */
	bool asked_new;      /* in this round */
	bool has_found;      /* slots, or as many jobs as it may, in this round */
	bool is_woken;       /* since the round began */
	bool looks_again;    /* when the round is over */
	bool tells_all;      /* the next round tells all slots that we know of */
	bool is_draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

int relay_start(struct relay *r, struct err *e);
/* There may be room for more, or more to have: looks at the end of this turn. */
void relay_look(struct relay *r);
/* Takes no more, gives back what waits, lets transactions end; then calls drained. */
void relay_drain(struct relay *r);
void relay_check_drained(struct relay *r);
void relay_stop(struct relay *r);

/* ---- delivery.c: one job on its way ---- */

enum delivery_stage { DELIVERY_COMING, DELIVERY_WAITING, DELIVERY_SENDING, DELIVERY_SETTLING };

struct delivery {
	struct delivery *next, *prev; /* of the relay */
	struct delivery *after;       /* at the site */
	struct relay *relay;
	struct job *job;
	enum delivery_stage stage;
	struct route route;
	const char **recipients; /* the open ones of this job */
	unsigned *numbers;       /* their numbers in the message */
	size_t n_recipients;
	char sender[320];
	struct buf dkim;
	struct channel *channel; /* while SENDING */
	size_t bytes;            /* counted in held_bytes */
	bool is_coming;          /* counted in its job's site */
	unsigned untried;        /* times a channel ended under it before it was tried */
	unsigned n_too_big;      /* hosts that it is too big for, */
	char too_big_at[ROUTE_HOSTS_MAX][256];
	bool waits_for_fence; /* the store will still call back */
	bool is_over;         /* settled; only the fence's answer is awaited */
	bool saw_dot;         /* the dot went out: the result goes through the journal */
	uint64_t journal_entry;
	int64_t started_ms, asked_ms, routed_ms, sent_ms; /* 0 = not yet */
	struct buf transcript; /* packed; kept once the result is settled */
};

/* The connection that a result came from. */
struct attempt_source {
	const struct connection_facts *facts;
	const struct transcript *transcript;
	bool has_tls_failed; /* an earlier one to this host */
};

/* Takes j. */
void delivery_start(struct relay *r, struct job *j);
/* A channel is ready for it. -1: it could not be sent, and is over or goes on elsewhere. */
int delivery_send(struct delivery *d, struct channel *channel);
bool delivery_avoids(const struct delivery *d, const char *host);
void delivery_fence(struct delivery *d);
void delivery_done(struct delivery *d, const struct connection_result *results, size_t n);
/* There is no channel for it: the same result for all its recipients. source: the connection that
 * was tried, NULL = none was. */
void delivery_fail(struct delivery *d, const struct connection_result *result,
		   const struct attempt_source *source);
void delivery_give_back(struct delivery *d, const char *learned_site);
void delivery_free(struct delivery *d);

/* ---- site.c: who waits, and the channels ---- */

#define SITE_PARTITIONS 8

struct site {
	struct site *next;
	struct relay *relay;
	char name[ROUTE_SITE_MAX];
	struct delivery *first, **last;
	unsigned n_waiting;
	struct channel *channels;
	unsigned n_coming; /* deliveries that look for their route, or their content */
	unsigned n_lines, n_ready, n_idle, n_connecting;
	struct slots {
		unsigned partition;
		unsigned n_free; /* no channel uses them yet */
		unsigned n_held; /* all that the store counts as ours, until it knows better */
	} slots[SITE_PARTITIONS];
	bool is_dry;                     /* the last take asked for more than there was */
	bool is_at_limit;                /* it got no more connections */
	bool has_moved;                  /* a transaction ended since it grew */
	unsigned asked_want, asked_grow; /* in this round of takes, of each partition */
	bool has_more;                   /* some partition gave all of it */
	int64_t hold_until;              /* no further connections before (monotonic ms) */
	int64_t took_us;                 /* a transaction, moving average */
	struct loop_post pump;
};

struct site *site_get(struct relay *r, const char *name); /* makes it */
/* The store gave us slots; a channel that ended leaves its slot to those that wait. */
void site_grant(struct site *s, unsigned partition, unsigned count);
void site_reuse_slot(struct site *s, unsigned partition);
unsigned site_held(struct site *s, unsigned partition);
bool site_has_slots(const struct site *s);
unsigned site_free_slots(const struct site *s);
void site_wait(struct site *s, struct delivery *d);
void site_wait_first(struct site *s, struct delivery *d);
/* Brings deliveries and channels together at the end of this turn; frees the site when it is done
 * with. */
void site_pump(struct site *s);
/* How many jobs it would take now, how many channels it would open. */
unsigned site_want(const struct site *s);
unsigned site_grow(const struct site *s);
void site_close_idle(struct site *s);
void site_free_all(struct relay *r);

/* For channels: the next delivery (NULL = none waits); a slot is no longer used; the site cannot be
 * reached. */
struct delivery *site_next(struct site *s);
void site_give_slot(struct site *s, unsigned partition, unsigned count);
void site_drop_grants(struct site *s);
void site_fail_waiting(struct site *s, const struct connection_result *failure,
		       const struct attempt_source *source);

/* ---- channel.c: one connection under a slot ---- */

/* Opens one for the first delivery that waits, under a slot of the partition. */
void channel_open(struct site *s, unsigned partition);
/* An idle one that the delivery may go by, or NULL. */
struct channel *channel_idle(const struct site *s, const struct delivery *d);
/* Gives an idle channel its next delivery, if there is one. */
void channel_feed(struct channel *l);
/* Ends those that carry nothing. */
void channel_end_idle(struct site *s);
/* Without a word to anybody. */
void channel_free_all(struct site *s);
struct connection *channel_connection(const struct channel *l);
struct attempt_source channel_source(const struct channel *l);
/* Tells the sink, if the channel leads there, what comes next. */
void channel_announce(const struct channel *l, const struct delivery *d);

/* ---- envelope.c ---- */

/* Fills in sender and recipients. -1: no memory. */
int envelope_address(struct delivery *d);
/* Fills in dkim, once. */
int envelope_sign(struct delivery *d, struct err *e);

/* ---- attempt.c ---- */

/* All but the Unix time that it started; now: monotonic. */
void attempt_describe(const struct delivery *d, const struct attempt_source *source, int64_t now,
		      struct attempt *out);
/* "a <attempt.h>\n", before the results. */
void attempt_write(const struct delivery *d, const struct attempt_source *source, struct buf *out);
/* What was said, packed, into d->transcript. */
void attempt_keep_transcript(struct delivery *d, const struct attempt_source *source);

/* ---- results.c ---- */

/* "<recipient> <outcome> <code> <dup or -> <text>\n" a result, for settle. */
void results_write(const struct delivery *d, const struct connection_result *results,
		   struct buf *out);
/* When to try again what is deferred: doubling from the lane's first retry, +-20 %. */
int64_t results_retry_ms(const struct delivery *d);
/* To log and metrics. */
void results_tell(const struct delivery *d, const struct connection_result *results);

#endif
