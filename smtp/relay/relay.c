/* Decides what to take from the queue, and when; keeps leases alive; drains. */
#include "smtp/relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/redis/redis.h"
#include "server/store/queue/job.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/slots.h"
#include "server/store/queue/take.h"
#include "smtp/journal/journal.h"
#include "smtp/sink.h"

#define TAKE_MAX 64  /* jobs a call */
#define HELD_MAX 512 /* jobs a relay */
#define HELD_BYTES ((size_t)64 << 20)
#define HELD_TEST_BYTES ((size_t)8 << 20) /* of these, of test mail: live mail has the rest */
#define SITES_MAX 512                     /* reported in one take */
#define POLL_MS 1000
#define POLL_AWAY_MS 100 /* while the store is down: no wake-up arrives */
#define RENEW_MS 20000   /* a third of the lease */

/* Looks for work at the end of this turn. */
static void look_for_work(struct relay *r)
{
	if (!r->context.is_draining)
		loop_post(&r->take_post);
}

static void check_drained(struct relay *r)
{
	if (r->context.is_draining && r->deliveries.n == 0 && r->sites.n_channels == 0 && !r->takes)
		r->on_drained(r->arg);
}

static void on_change(void *arg)
{
	struct relay *r = arg;

	look_for_work(r);
	check_drained(r);
}

/* ---- deliveries ---- */

static void on_wait(struct delivery *d, bool is_first, void *arg)
{
	struct relay *r = arg;
	struct site *s = r->context.is_draining ? NULL : site_get(&r->sites, d->route.site);

	if (s)
		site_wait(s, d, is_first);
	else
		delivery_give_back(d, NULL);
}

static void on_left(struct delivery *d, void *arg)
{
	struct relay *r = arg;
	struct site *s = site_get(&r->sites, d->job->site);

	if (s)
		site_pump(s);
}

static const struct delivery_callbacks delivery_callbacks = {on_wait, on_left, on_change};

static void start_delivery(struct relay *r, struct job *j)
{
	struct site *s = site_get(&r->sites, j->site);

	if (j->epoch == 1 && j->record.lane != LANE_OTP)
		load_saw_job(&r->load, j->record.lane == LANE_BULK ? LOAD_BULK : LOAD_NORMAL,
			     redis_time_ms(r->context.redis) - j->record.accepted_ms);
	if (s) {
		delivery_start(&r->deliveries, j, &s->coming);
		return;
	}
	job_lease_give_back(r->context.redis, r->context.owner, j, NULL, 0);
	job_free(j);
}

/* ---- take ---- */

struct open_take {
	struct open_take *next;
	struct relay *relay;
	unsigned partition;
	bool is_late; /* its round has ended without it */
};

static void unlink_take(struct open_take *take)
{
	struct open_take **at = &take->relay->takes;

	while (*at != take)
		at = &(*at)->next;
	*at = take->next;
}

/* Notes which sites have more jobs or slots than the reply of one partition contained. */
static void note_response(struct relay *r, const struct take_result *t)
{
	struct site *s;

	r->has_found |= t->n_slots > 0 || t->is_full;
	if (r->has_asked_new)
		shortage_hear(&r->shortage, t->waiting);
	for (s = r->sites.first; s; s = s->next)
		s->round.got = 0;
	for (size_t i = 0; i < t->n_jobs; i++)
		if ((s = site_find(&r->sites, t->jobs[i]->site)))
			s->round.got++;
	for (size_t i = 0; i < t->n_slots; i++)
		if ((s = site_find(&r->sites, t->slots[i].site)) && s->round.grow)
			s->round.has_more = true;
	for (s = r->sites.first; s; s = s->next)
		s->round.has_more |= t->is_full || (s->round.want && s->round.got >= s->round.want);
}

/* If a site had fewer jobs than asked for, it is not asked again before a wake-up. A wake-up during
 * the round counts, because the replies may be older. */
static void end_round(struct relay *r)
{
	for (struct site *s = r->sites.first; s && !r->is_woken; s = s->next) {
		if (s->round.want)
			s->round.is_dry = !s->round.has_more;
		else if (s->round.grow)
			s->round.is_at_limit = !s->round.has_more;
	}
	if (r->has_asked_new)
		shortage_end_round(&r->shortage);
	if (r->has_asked_new && !r->has_found && !r->is_woken && !r->shortage.is_short)
		r->wants_new = false;
	if (r->looks_again)
		look_for_work(r);
}

static void grant_slots(struct relay *r, unsigned partition, const struct take_slots *granted)
{
	struct site *s = site_get(&r->sites, granted->site);

	if (!s) {
		slots_give_back(r->context.redis, r->context.owner, partition, granted->site,
				granted->count, NULL, NULL);
		return;
	}
	site_grant(s, partition, granted->project, granted->count);
}

static void on_taken(const struct take_result *t, void *arg)
{
	struct open_take *take = arg;
	struct relay *r = take->relay;

	unlink_take(take);
	r->n_open_takes -= !take->is_late;
	r->reports_all |= !t;
	if (t) {
		note_response(r, t);
		for (size_t i = 0; i < t->n_slots; i++)
			grant_slots(r, take->partition, &t->slots[i]);
		for (size_t i = 0; i < t->n_jobs; i++)
			start_delivery(r, t->jobs[i]);
		r->looks_again |= t->n_jobs > 0;
	}
	if (r->n_open_takes == 0 && !take->is_late)
		end_round(r);
	free(take);
	check_drained(r);
}

/* A call to a node of a cluster that went away has its reply when the node, or its replica, is
 * there. The rounds of the other partitions do not wait for it. */
static void leave_late_takes(struct relay *r)
{
	if (!r->n_open_takes || !redis_is_connected(r->context.redis))
		return;
	for (struct open_take *t = r->takes; t; t = t->next) {
		if (t->is_late || redis_partition_is_connected(r->context.redis, t->partition))
			continue;
		t->is_late = true;
		r->n_open_takes--;
	}
	if (r->n_open_takes == 0)
		end_round(r);
}

static bool may_take_from(const struct relay *r, unsigned partition)
{
	const struct open_take *t = r->takes;

	while (t && t->partition != partition)
		t = t->next;
	return !t && redis_partition_is_connected(r->context.redis, partition);
}

/* Each partition is asked for its part. If it returns all of it, it is asked again. */
static unsigned part_of(const struct relay *r, unsigned n)
{
	unsigned partitions = redis_partitions(r->context.redis);

	return (n + partitions - 1) / partitions;
}

/* The request of a round to each partition. */
struct round {
	struct take_request request;
	struct take_site list[SITES_MAX];
	struct site *sites[SITES_MAX]; /* those of the list */
	struct buf capped;
	bool has_grown; /* sites with channels ask for more */
};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool is_test_share_full(const struct relay *r, const struct site *s)
{
	return r->deliveries.test_bytes >= HELD_TEST_BYTES && strcmp(s->name, SINK_SITE) == 0;
}

/* Fills in how much each site with channels would take from each partition. The last three eighths
 * of the connections are for sites without one. One tenant can hold three quarters of all, so its
 * large sites leave it one eighth for its other sites. */
static void fill_sites(struct relay *r, struct round *round)
{
	unsigned room = shares_room(&r->context.shares);
	unsigned reserve = (r->context.shares.limit * 3 + 7) / 8;
	unsigned spare = room > reserve && !r->shortage.is_probe ? room - reserve : 0;
	struct take_request *request = &round->request;

	request->is_complete = r->reports_all;
	for (struct site *s = r->sites.first; s; s = s->next) {
		bool fits = request->n_sites < SITES_MAX;
		bool may_want = fits && !is_test_share_full(r, s);

		s->round.has_more = false;
		s->round.want = may_want ? part_of(r, site_wanted_jobs(s)) : 0;
		s->round.grow = may_want ? part_of(r, least(site_wanted_slots(s), spare)) : 0;
		if (!s->round.want && !s->round.grow && !(r->reports_all && site_slots_any(s)))
			continue;
		request->is_complete = request->is_complete && fits;
		if (!fits)
			continue;
		round->has_grown |= s->round.grow > 0;
		round->sites[request->n_sites] = s;
		round->list[request->n_sites++] =
			(struct take_site){s->name, s->round.want, s->round.grow, 0};
	}
}

/* Fills in how many connections may be opened, and for whom none. */
static void fill_shares(struct relay *r, struct round *round)
{
	struct shares_step step = shares_step(&r->context.shares);

	round->request.capped = "";
	if (r->shortage.is_probe)
		return;
	if (r->has_asked_new || round->has_grown)
		round->request.free_connections = part_of(r, step.any);
	if (r->has_asked_new)
		round->request.otp_connections = part_of(r, step.otp);
	shares_write_capped(&r->context.shares, &round->capped);
	round->request.capped = buf_text(&round->capped);
	r->shortage.has_capped = round->capped.len > 0;
}

static void take_from(struct relay *r, unsigned partition, struct round *round)
{
	struct open_take *take = malloc(sizeof(*take));

	if (!take) {
		LOG(LOG_ERROR, "take.no_memory", LOG_N("partition", partition));
		return; /* the next poll asks again */
	}
	*take = (struct open_take){r->takes, r, partition, false};
	r->takes = take;
	for (size_t i = 0; i < round->request.n_sites; i++)
		round->list[i].has = site_slots_held(round->sites[i], partition);
	r->n_open_takes++;
	take_jobs(r->context.redis, r->context.owner, partition, &round->request, on_taken, take);
}

static bool may_take(const struct relay *r)
{
	return !r->context.is_draining && r->n_open_takes == 0 && r->deliveries.n < HELD_MAX &&
	       r->deliveries.bytes < HELD_BYTES && redis_is_connected(r->context.redis) &&
	       journal_can_write(r->context.journal);
}

static void take_round(void *arg)
{
	struct relay *r = arg;
	struct round round;

	r->looks_again = r->n_open_takes > 0;
	if (!may_take(r))
		return;
	/* What woke the relay may be mail of a tenant that is not capped. */
	r->has_asked_new = r->wants_new && (r->is_woken || shortage_may_ask(&r->shortage));
	r->shortage.is_probe = false;
	if (r->has_asked_new)
		shortage_start_round(&r->shortage);
	round.has_grown = false;
	round.capped = (struct buf){0};
	round.request = (struct take_request){
		.max_jobs = part_of(r, least(HELD_MAX - r->deliveries.n, TAKE_MAX)),
		.sites = round.list,
		.asks_waiting = r->has_asked_new,
	};
	fill_sites(r, &round);
	if (round.request.n_sites == 0 && !r->has_asked_new)
		return;
	fill_shares(r, &round);
	r->is_woken = r->has_found = r->reports_all = false;
	for (unsigned p = 0; p < redis_partitions(r->context.redis); p++)
		if (may_take_from(r, p))
			take_from(r, p, &round);
	buf_deinit(&round.capped);
}

/* The store published that work is ready. */
static void on_wake(void *arg)
{
	struct relay *r = arg;

	r->wants_new = r->is_woken = true;
	for (struct site *s = r->sites.first; s; s = s->next)
		s->round.is_dry = s->round.is_at_limit = false;
	look_for_work(r);
}

static void poll_queue(void *arg)
{
	struct relay *r = arg;

	leave_late_takes(r);
	loop_timer_set(&r->poll, redis_is_connected(r->context.redis) ? POLL_MS : POLL_AWAY_MS);
	for (struct site *s = r->sites.first; s; s = s->next)
		if (channel_count(&s->channels) == 0)
			site_pump(s); /* frees the site if nothing uses it any more */
	on_wake(r);
}

/* ---- leases ---- */

static void on_renewed(const char *ref, int64_t epoch, bool is_yours, int64_t lease_until_ms,
		       void *arg)
{
	struct relay *r = arg;

	for (struct delivery *d = r->deliveries.first; d; d = d->next) {
		if (d->job->epoch != epoch || strcmp(d->job->ref, ref) != 0)
			continue;
		if (!is_yours)
			d->job->lease_until_ms = 0; /* the fence stops it */
		else if (lease_until_ms > d->job->lease_until_ms)
			d->job->lease_until_ms = lease_until_ms;
		return;
	}
}

static void renew_leases(void *arg)
{
	struct relay *r = arg;
	struct job **jobs = calloc(r->deliveries.n + 1, sizeof(struct job *));
	size_t n = 0;

	loop_timer_set(&r->renew, RENEW_MS);
	r->reports_all = true;
	if (!jobs || !redis_is_connected(r->context.redis)) {
		free(jobs);
		return;
	}
	for (struct delivery *d = r->deliveries.first; d; d = d->next)
		if (d->stage < DELIVERY_SETTLING)
			jobs[n++] = d->job;
	job_lease_renew(r->context.redis, r->context.owner, jobs, n, on_renewed, r);
	free(jobs);
}

static struct load_count count_transactions(void *arg)
{
	const struct relay *r = arg;
	struct load_count count = {0};

	for (const struct delivery *d = r->deliveries.first; d; d = d->next) {
		count.n += d->stage == DELIVERY_SENDING;
		count.n_waiting += d->stage == DELIVERY_SENDING && d->waits_for_fence;
	}
	return count;
}

/* ---- start and end ---- */

int relay_start(struct relay *r, struct err *e)
{
	struct loop *loop = r->context.loop;

	r->sites = (struct sites){.context = &r->context, .on_change = on_change, .arg = r};
	r->shortage.sites = &r->sites;
	r->deliveries = (struct delivery_set){
		.context = &r->context, .callbacks = &delivery_callbacks, .arg = r};
	r->context.shares.limit = (unsigned)r->context.config->relay_connections;
	r->context.addresses.most = (unsigned)r->context.config->connecting_per_address;
	r->wants_new = true;
	if (loop_post_init(&r->take_post, loop, take_round, r) < 0 ||
	    loop_timer_init(&r->poll, loop, poll_queue, r) < 0 ||
	    loop_timer_init(&r->renew, loop, renew_leases, r) < 0 ||
	    load_start(&r->load, loop, count_transactions, r) < 0)
		return err_oom(e);
	take_listen(r->context.redis, on_wake, r);
	loop_timer_set(&r->poll, 0);
	loop_timer_set(&r->renew, RENEW_MS);
	return 0;
}

void relay_drain(struct relay *r)
{
	if (r->context.is_draining)
		return;
	r->context.is_draining = true;
	loop_timer_cancel(&r->poll);
	for (struct site *s = r->sites.first; s; s = s->next)
		site_drain(s);
	check_drained(r);
}

unsigned relay_count_jobs(const struct relay *r)
{
	return r->deliveries.n;
}

void relay_stop(struct relay *r)
{
	loop_timer_deinit(&r->poll);
	loop_timer_deinit(&r->renew);
	load_stop(&r->load);
	loop_post_deinit(&r->take_post);
	site_free_all(&r->sites); /* before the deliveries that its channels carry */
	while (r->deliveries.first)
		delivery_free(r->deliveries.first);
}
