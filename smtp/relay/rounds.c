/* Asks the partitions for jobs and slots, and takes what they return. */
#include "smtp/relay/rounds.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/links.h"
#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/store/queue/job.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/slots.h"
#include "server/store/queue/take.h"
#include "smtp/journal/journal.h"
#include "smtp/relay/relay.h"
#include "smtp/sink.h"

#define TAKE_MAX 64  /* jobs a call */
#define HELD_MAX 512 /* jobs a relay */
#define HELD_BYTES ((size_t)64 << 20)
#define HELD_TEST_BYTES ((size_t)8 << 20) /* of these, of test mail: live mail has the rest */
#define SITES_MAX 512                     /* reported in one take */
#define POLL_PART 4                       /* this part of the partitions is asked every second */

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

/* ---- replies ---- */

struct open_take {
	struct open_take *prev, *next;
	struct relay *relay;
	unsigned partition;
	bool is_late; /* its round has ended without it */
};

/* Counts the jobs of each site in the reply, and notes which sites got slots. */
static void count_found(struct relay *r, const struct take_result *t)
{
	struct site *s;

	for (s = r->sites.first; s; s = s->next) {
		s->round.got = 0;
		s->round.got_slots = false;
	}
	for (size_t i = 0; i < t->n_jobs; i++)
		if ((s = site_find(&r->sites, t->jobs[i]->site)))
			s->round.got++;
	for (size_t i = 0; i < t->n_slots; i++)
		if ((s = site_find(&r->sites, t->slots[i].site)))
			s->round.got_slots = true;
}

/* If the partition had less for the site than asked for, it is not asked again before a wake-up. */
static void judge_site(struct site *s, const struct take_result *t, unsigned partition)
{
	struct site_round *round = &s->round;
	bool has_more = t->is_full || (round->want && round->got >= round->want) ||
			(round->grow && round->got_slots);

	if (has_more || partition_set_has(&round->dry, partition))
		return;
	if (round->want)
		partition_set_add(&round->dry, partition);
	else if (round->grow)
		partition_set_add(&round->at_limit, partition);
}

/* A wake-up during the round counts, because the reply may be older. */
static void note_response(struct relay *r, const struct take_result *t, unsigned partition)
{
	bool has_found = t->n_slots > 0 || t->is_full;

	if (r->has_asked_new)
		shortage_hear(&r->shortage, t->waiting);
	if (partition_set_has(&r->woken, partition))
		return;
	count_found(r, t);
	for (struct site *s = r->sites.first; s; s = s->next)
		judge_site(s, t, partition);
	if (r->has_asked_new && !has_found && t->waiting == TAKE_NONE_WAITS &&
	    !r->shortage.has_capped)
		partition_set_remove(&r->news, partition);
}

static void end_round(struct relay *r)
{
	if (r->has_asked_new)
		shortage_end_round(&r->shortage);
	if (r->looks_again)
		relay_look_for_work(r);
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

	LINKS_REMOVE(r->takes, take);
	r->n_open_takes -= !take->is_late;
	r->reports_all |= !t;
	if (t) {
		note_response(r, t, take->partition);
		for (size_t i = 0; i < t->n_slots; i++)
			grant_slots(r, take->partition, &t->slots[i]);
		for (size_t i = 0; i < t->n_jobs; i++)
			start_delivery(r, t->jobs[i]);
		r->looks_again |= t->n_jobs > 0;
	}
	if (r->n_open_takes == 0 && !take->is_late)
		end_round(r);
	free(take);
	relay_check_drained(r);
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

/* ---- requests ---- */

/* A round: what sites with channels want of each partition, and which partitions are asked. */
struct round {
	struct site *sites[SITES_MAX];
	size_t n_sites;
	bool is_complete; /* sites has all with slots */
	bool has_grown;   /* sites with channels ask for more */
	struct partition_set partitions;
	unsigned n_partitions;
	struct shares_step step;
	struct buf capped;
};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Each of n partitions is asked for its part. If it returns all of it, it is asked again. */
static unsigned part_of(unsigned wanted, unsigned n)
{
	return n ? (wanted + n - 1) / n : 0;
}

static bool is_test_share_full(const struct relay *r, const struct site *s)
{
	return r->deliveries.test_bytes >= HELD_TEST_BYTES && strcmp(s->name, SINK_SITE) == 0;
}

/* Fills in what the site would take from each partition, and adds those partitions to the round.
 * spare: connections that sites with channels may open. */
static void fill_site(struct relay *r, struct round *round, struct site *s, unsigned spare)
{
	unsigned n = redis_partitions(r->context.redis);
	struct partition_set for_jobs = partition_set_others(&s->round.dry, n), none = s->round.dry;
	struct partition_set for_slots;
	unsigned n_jobs = partition_set_count(&for_jobs), n_slots;

	partition_set_join(&none, &s->round.at_limit);
	for_slots = partition_set_others(&none, n);
	n_slots = partition_set_count(&for_slots);
	s->round.want = n_jobs ? part_of(site_wanted_jobs(s), n_jobs) : 0;
	s->round.grow = n_slots ? part_of(least(site_wanted_slots(s), spare), n_slots) : 0;
	if (s->round.want)
		partition_set_join(&round->partitions, &for_jobs);
	if (s->round.grow)
		partition_set_join(&round->partitions, &for_slots);
	round->has_grown |= s->round.grow > 0;
}

/* The last three eighths of the connections are for sites without one. One tenant can hold three
 * quarters of all, so its large sites leave it one eighth for its other sites. */
static void fill_sites(struct relay *r, struct round *round)
{
	unsigned room = shares_room(&r->context.shares);
	unsigned reserve = (r->context.shares.limit * 3 + 7) / 8;
	unsigned spare = room > reserve && !r->shortage.is_probe ? room - reserve : 0;

	round->is_complete = r->reports_all;
	for (struct site *s = r->sites.first; s; s = s->next) {
		bool fits = round->n_sites < SITES_MAX;

		s->round.want = s->round.grow = 0;
		if (fits && !is_test_share_full(r, s))
			fill_site(r, round, s, spare);
		if (!s->round.want && !s->round.grow && !(r->reports_all && site_slots_any(s)))
			continue;
		round->is_complete = round->is_complete && fits;
		if (fits)
			round->sites[round->n_sites++] = s;
	}
}

/* Chooses the partitions of the round. */
static void fill_partitions(struct relay *r, struct round *round)
{
	static const struct partition_set none;
	struct partition_set all = partition_set_others(&none, redis_partitions(r->context.redis));

	if (r->has_asked_new)
		partition_set_join(&round->partitions, &r->news);
	if (r->reports_all)
		partition_set_join(&round->partitions, &all);
	round->n_partitions = partition_set_count(&round->partitions);
}

/* What the partition is asked for. Returns how many sites ask for something. */
static size_t fill_list(const struct relay *r, const struct round *round, unsigned partition,
			struct take_site *list)
{
	size_t n = 0;

	for (size_t i = 0; i < round->n_sites; i++) {
		const struct site *s = round->sites[i];
		bool is_dry = partition_set_has(&s->round.dry, partition);
		bool is_at_limit = partition_set_has(&s->round.at_limit, partition);
		unsigned want = is_dry ? 0 : s->round.want;
		unsigned grow = is_dry || is_at_limit ? 0 : s->round.grow;

		if (want || grow || r->reports_all)
			list[n++] = (struct take_site){s->name, want, grow,
						       site_slots_held(s, partition)};
	}
	return n;
}

/* Sends the request of the round to a partition. */
static void take_from(struct relay *r, const struct round *round, unsigned partition)
{
	bool asks_new = r->has_asked_new && partition_set_has(&r->news, partition);
	bool may_open = (asks_new || round->has_grown) && !r->shortage.is_probe;
	struct open_take *take = malloc(sizeof(*take));
	struct take_site list[SITES_MAX];
	struct take_request request = {
		.max_jobs =
			part_of(least(HELD_MAX - r->deliveries.n, TAKE_MAX), round->n_partitions),
		.free_connections = may_open ? part_of(round->step.any, round->n_partitions) : 0,
		.otp_connections =
			may_open && asks_new ? part_of(round->step.otp, round->n_partitions) : 0,
		.capped = r->shortage.is_probe ? "" : buf_text(&round->capped),
		.sites = list,
		.n_sites = fill_list(r, round, partition, list),
		.is_complete = round->is_complete,
		.asks_waiting = asks_new,
	};

	if (!take) {
		LOG(LOG_ERROR, "take.no_memory", LOG_N("partition", partition));
		return; /* a later poll asks again */
	}
	*take = (struct open_take){.relay = r, .partition = partition};
	LINKS_ADD(r->takes, take);
	r->n_open_takes++;
	partition_set_remove(&r->woken, partition);
	take_jobs(r->context.redis, r->context.owner, partition, &request, on_taken, take);
}

/* ---- rounds ---- */

static bool may_take(const struct relay *r)
{
	return !r->context.is_draining && r->n_open_takes == 0 && r->deliveries.n < HELD_MAX &&
	       r->deliveries.bytes < HELD_BYTES && redis_is_connected(r->context.redis) &&
	       journal_can_write(r->context.journal);
}

static void start_round(struct relay *r, struct round *round)
{
	if (!r->shortage.is_probe) {
		shares_write_capped(&r->context.shares, &round->capped);
		r->shortage.has_capped = round->capped.len > 0;
	}
	round->step = shares_step(&r->context.shares);
	r->is_woken = false;
	for (unsigned p = 0; p < redis_partitions(r->context.redis); p++)
		if (partition_set_has(&round->partitions, p) && may_take_from(r, p))
			take_from(r, round, p);
	r->reports_all = false;
	buf_deinit(&round->capped);
}

void rounds_start(void *arg)
{
	struct relay *r = arg;
	struct round round;

	r->looks_again = r->n_open_takes > 0;
	if (!may_take(r))
		return;
	/* What woke the relay may be mail of a tenant that is not capped. */
	r->has_asked_new = partition_set_count(&r->news) > 0 &&
			   (r->is_woken || shortage_may_ask(&r->shortage));
	r->shortage.is_probe = false;
	if (r->has_asked_new)
		shortage_start_round(&r->shortage);
	round.n_sites = 0;
	round.has_grown = false;
	round.partitions = (struct partition_set){{0}};
	round.capped = (struct buf){0};
	fill_sites(r, &round);
	fill_partitions(r, &round);
	if (round.n_partitions)
		start_round(r, &round);
}

void rounds_wake(struct relay *r, unsigned partition)
{
	r->is_woken = true;
	partition_set_add(&r->news, partition);
	partition_set_add(&r->woken, partition);
	for (struct site *s = r->sites.first; s; s = s->next) {
		partition_set_remove(&s->round.dry, partition);
		partition_set_remove(&s->round.at_limit, partition);
	}
}

void rounds_poll(struct relay *r)
{
	unsigned n = redis_partitions(r->context.redis);

	leave_late_takes(r);
	for (; r->n_partitions < n; r->n_partitions++)
		rounds_wake(r, r->n_partitions); /* it is new */
	for (unsigned i = 0; i * POLL_PART < n; i++)
		rounds_wake(r, r->next_poll++ % n);
}
