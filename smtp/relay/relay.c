/* Decides what to take from the queue, and when; keeps leases alive; drains. */
#include "smtp/relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/store/queue/lease.h"
#include "server/store/queue/take.h"
#include "smtp/relay/journal.h"

#define TAKE_MAX 64  /* jobs a call */
#define HELD_MAX 512 /* jobs in our hands */
#define HELD_BYTES ((size_t)64 << 20)
#define SITES_MAX 512 /* told in one take */
#define POLL_MS 1000
#define POLL_AWAY_MS 100 /* while the store is away: what became ready in between woke nobody */
#define RENEW_MS 20000   /* a third of the lease */

static void look(void *arg);

void relay_look(struct relay *r)
{
	if (!r->is_draining)
		loop_post(&r->take_post);
}

/* ---- take ---- */

struct ask {
	struct relay *relay;
	unsigned partition;
};

/* Remembers, of one partition's answer, where there is more to have. */
static void note_answer(struct relay *r, const struct take_result *t)
{
	r->has_found |= t->n_slots > 0 || t->is_full;
	for (struct site *s = r->sites; s; s = s->next) {
		unsigned got = 0;

		for (size_t j = 0; s->asked_want && j < t->n_jobs; j++)
			got += strcmp(t->jobs[j]->site, s->name) == 0;
		s->has_more |= t->is_full || (s->asked_want && got >= s->asked_want);
		for (size_t i = 0; s->asked_grow && i < t->n_slots; i++)
			s->has_more |= strcmp(t->slots[i].site, s->name) == 0;
	}
}

/* Sites that had less than they were asked for are left alone until something wakes us; unless it
 * did while the answers were on their way: they may not know of it. */
static void end_round(struct relay *r)
{
	for (struct site *s = r->sites; s && !r->is_woken; s = s->next) {
		if (s->asked_want)
			s->is_dry = !s->has_more;
		else if (s->asked_grow)
			s->is_at_limit = !s->has_more;
	}
	if (r->asked_new && !r->has_found && !r->is_woken)
		r->wants_new = false;
	if (r->looks_again)
		relay_look(r);
}

static void on_taken(const struct take_result *t, void *arg)
{
	struct ask *a = arg;
	struct relay *r = a->relay;

	r->takes_open--;
	r->tells_all |= !t;
	if (t) {
		note_answer(r, t);
		for (size_t i = 0; i < t->n_slots; i++) {
			struct site *s = site_get(r, t->slots[i].site);

			site_grant(s, a->partition, t->slots[i].count);
			site_pump(s);
		}
		for (size_t i = 0; i < t->n_jobs; i++)
			delivery_start(r, t->jobs[i]);
		r->looks_again |= t->n_jobs > 0;
	}
	free(a);
	if (r->takes_open == 0)
		end_round(r);
	relay_check_drained(r);
}

static unsigned n_granted(const struct relay *r)
{
	unsigned n = 0;

	for (const struct site *s = r->sites; s; s = s->next)
		n += site_free_slots(s);
	return n;
}

/* Each partition is asked for its part: together they give about what was wanted. One that gives
 * all of it is asked again. */
static unsigned part_of(const struct relay *r, unsigned n)
{
	unsigned partitions = redis_partitions(r->redis);

	return (n + partitions - 1) / partitions;
}

/* What a round asks of each partition. */
struct round {
	struct take_request request;
	struct take_site list[SITES_MAX];
	struct site *sites[SITES_MAX]; /* of the list */
};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Sites we have channels to, and what they would take of each partition. The last quarter of the
 * connections is for sites that have none. */
static void fill_round(struct relay *r, struct round *round, unsigned room)
{
	unsigned free = r->asked_new ? room : 0;
	unsigned reserve = (unsigned)r->config->relay_connections / 4;
	unsigned spare = room > reserve ? room - reserve : 0;
	bool is_told = true;
	size_t n = 0;

	for (struct site *s = r->sites; s; s = s->next) {
		bool fits = n < SITES_MAX;

		s->has_more = false;
		s->asked_want = fits ? part_of(r, site_want(s)) : 0;
		s->asked_grow = fits ? part_of(r, least(site_grow(s), spare)) : 0;
		if (s->asked_grow)
			free = room;
		if (!s->asked_want && !s->asked_grow && !(r->tells_all && site_has_slots(s)))
			continue;
		is_told = is_told && fits;
		if (!fits)
			continue;
		round->sites[n] = s;
		round->list[n++] = (struct take_site){s->name, s->asked_want, s->asked_grow, 0};
	}
	round->request = (struct take_request){
		.max_jobs = part_of(r, least(HELD_MAX - r->n_held, TAKE_MAX)),
		.free_connections = part_of(r, free),
		.sites = round->list,
		.n_sites = n,
		.is_complete = r->tells_all && is_told,
	};
}

static void take(struct relay *r, unsigned partition, struct round *round)
{
	struct ask *a = malloc(sizeof(*a));

	if (!a)
		abort();
	*a = (struct ask){r, partition};
	for (size_t i = 0; i < round->request.n_sites; i++)
		round->list[i].has = site_held(round->sites[i], partition);
	r->takes_open++;
	take_jobs(r->redis, r->owner, partition, &round->request, on_taken, a);
}

static bool may_take(const struct relay *r)
{
	return !r->is_draining && r->takes_open == 0 && r->n_held < HELD_MAX &&
	       r->held_bytes < HELD_BYTES && redis_is_connected(r->redis) &&
	       journal_can_write(r->journal);
}

static void look(void *arg)
{
	struct relay *r = arg;
	struct round round;
	unsigned used = r->n_lines + n_granted(r), limit = (unsigned)r->config->relay_connections;
	unsigned room = used < limit ? limit - used : 0;

	r->looks_again = r->takes_open > 0;
	if (!may_take(r))
		return;
	r->asked_new = r->wants_new && room;
	fill_round(r, &round, room);
	if (round.request.n_sites == 0 && !r->asked_new)
		return;
	r->is_woken = r->has_found = r->tells_all = false;
	for (unsigned p = 0; p < redis_partitions(r->redis); p++)
		take(r, p, &round);
}

/* Something became ready somewhere. */
static void on_wake(void *arg)
{
	struct relay *r = arg;

	r->wants_new = r->is_woken = true;
	for (struct site *s = r->sites; s; s = s->next)
		s->is_dry = s->is_at_limit = false;
	relay_look(r);
}

static void poll(void *arg)
{
	struct relay *r = arg;

	loop_timer_set(&r->poll, redis_is_connected(r->redis) ? POLL_MS : POLL_AWAY_MS);
	for (struct site *s = r->sites; s; s = s->next)
		if (s->n_lines == 0)
			site_pump(s); /* it may be done with */
	on_wake(r);
}

/* ---- leases ---- */

static void on_renewed(const char *ref, int64_t epoch, bool is_yours, int64_t lease_until_ms,
		       void *arg)
{
	struct relay *r = arg;

	for (struct delivery *d = r->deliveries; d; d = d->next) {
		if (d->job->epoch != epoch || strcmp(d->job->ref, ref) != 0)
			continue;
		if (!is_yours)
			d->job->lease_until_ms = 0; /* it goes no further than the fence */
		else if (lease_until_ms > d->job->lease_until_ms)
			d->job->lease_until_ms = lease_until_ms;
		return;
	}
}

static void renew(void *arg)
{
	struct relay *r = arg;
	struct job **jobs = calloc(r->n_held + 1, sizeof(struct job *));
	size_t n = 0;

	loop_timer_set(&r->renew, RENEW_MS);
	r->tells_all = true;
	if (!jobs || !redis_is_connected(r->redis)) {
		free(jobs);
		return;
	}
	for (struct delivery *d = r->deliveries; d; d = d->next)
		if (d->stage != DELIVERY_SETTLING && !d->is_over)
			jobs[n++] = d->job;
	lease_renew(r->redis, r->owner, jobs, n, on_renewed, r);
	free(jobs);
}

/* ---- start and end ---- */

int relay_start(struct relay *r, struct err *e)
{
	r->wants_new = true;
	if (loop_post_init(&r->take_post, r->loop, look, r) < 0 ||
	    loop_timer_init(&r->poll, r->loop, poll, r) < 0 ||
	    loop_timer_init(&r->renew, r->loop, renew, r) < 0)
		return err_oom(e);
	take_listen(r->redis, on_wake, r);
	loop_timer_set(&r->poll, 0);
	loop_timer_set(&r->renew, RENEW_MS);
	return 0;
}

void relay_drain(struct relay *r)
{
	if (r->is_draining)
		return;
	r->is_draining = true;
	loop_timer_cancel(&r->poll);
	for (struct site *s = r->sites; s; s = s->next)
		site_close_idle(s);
	relay_check_drained(r);
}

void relay_check_drained(struct relay *r)
{
	if (r->is_draining && r->n_held == 0 && r->n_lines == 0 && r->takes_open == 0)
		r->drained(r->drained_arg);
}

void relay_stop(struct relay *r)
{
	loop_timer_deinit(&r->poll);
	loop_timer_deinit(&r->renew);
	loop_post_deinit(&r->take_post);
	site_free_all(r); /* the channels first: they carry deliveries */
	while (r->deliveries)
		delivery_free(r->deliveries);
}
