/* Starts rounds of takes and deliveries; keeps leases alive; drains. */
#include "smtp/relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/redis/redis.h"
#include "server/store/queue/job.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/take.h"
#include "smtp/relay/rounds.h"

#define POLL_MS 1000
#define POLL_AWAY_MS 100 /* while the store is down: no wake-up arrives */
#define RENEW_MS 20000   /* a third of the lease */

void relay_look_for_work(struct relay *r)
{
	if (!r->context.is_draining)
		loop_post(&r->take_post);
}

void relay_check_drained(struct relay *r)
{
	if (r->context.is_draining && r->deliveries.n == 0 && r->sites.n_channels == 0 && !r->takes)
		r->on_drained(r->arg);
}

static void on_change(void *arg)
{
	struct relay *r = arg;

	relay_look_for_work(r);
	relay_check_drained(r);
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

/* The store published that the partition has ready work. */
static void on_wake(unsigned partition, void *arg)
{
	rounds_wake(arg, partition);
	relay_look_for_work(arg);
}

static void poll_queue(void *arg)
{
	struct relay *r = arg;

	loop_timer_set(&r->poll, redis_is_connected(r->context.redis) ? POLL_MS : POLL_AWAY_MS);
	for (struct site *s = r->sites.first; s; s = s->next)
		if (channel_count(&s->channels) == 0)
			site_pump(s); /* frees the site if nothing uses it any more */
	rounds_poll(r);
	relay_look_for_work(r);
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
	if (loop_post_init(&r->take_post, loop, rounds_start, r) < 0 ||
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
	relay_check_drained(r);
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
