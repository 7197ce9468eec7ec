/* Works on one job: content, route, transaction, fence. */
#include "smtp/relay/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/route/router.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/rest.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/context.h"
#include "smtp/relay/envelope.h"
#include "smtp/relay/followup.h"
#include "smtp/relay/settlement.h"
#include "smtp/sink.h"

#define FENCE_MARGIN_MS 2000 /* of the lease that must be left when the dot is written */
#define UNTRIED_MAX 3
/* Above it, jobs go back to the queue, for other relays. */
#define FETCHED_BYTES ((size_t)256 << 20)
#define FETCHED_TEST_BYTES ((size_t)32 << 20)

/* ---- life ---- */

void delivery_free(struct delivery *d)
{
	delivery_set_remove(d);
	job_free(d->job);
	envelope_free(d);
	buf_deinit(&d->hosts);
	buf_deinit(&d->transcript);
	free(d);
}

/* Frees d, after the reply of the fence has arrived. */
static void end_delivery(struct delivery *d)
{
	struct delivery_set *set = d->set;

	delivery_set_move(d, DELIVERY_OVER, NULL, false);
	if (d->waits_for_fence)
		return;
	delivery_free(d);
	set->callbacks->on_over(set->arg);
}

/* The site counts the deliveries that look up their route or content. */
static void leave_queue(struct delivery *d, enum delivery_stage stage)
{
	bool was_coming = d->stage == DELIVERY_COMING;

	delivery_set_move(d, stage, NULL, false);
	if (was_coming)
		d->set->callbacks->on_left(d, d->set->arg);
}

void delivery_give_back(struct delivery *d, const char *site)
{
	const struct relay_context *c = d->set->context;

	leave_queue(d, DELIVERY_OVER);
	metric_add(METRIC_GIVEN_BACK, 1);
	job_lease_give_back(c->redis, c->owner, d->job, site, 0);
	end_delivery(d);
}

/* ---- route ---- */

static const char *destination_of(const struct delivery *d)
{
	return d->job->record.jobs[d->job->number].destination;
}

static void fail_route(struct delivery *d, const struct route_failure *failure)
{
	struct connection_result result = {.outcome = OUTCOME_DEFERRED};

	/* The site may have other destinations whose DNS works. */
	if (!failure->is_permanent && strcmp(d->job->site, destination_of(d)) == 0)
		rest_site(d->set->context->redis, d->job->site, 0, failure->text);
	if (failure->is_permanent)
		result.outcome = OUTCOME_BOUNCED;
	snprintf(result.text, sizeof(result.text), "%s", failure->text);
	delivery_fail(d, &result, NULL);
}

static void on_route(const struct route *route, const struct route_failure *failure, void *arg)
{
	struct delivery *d = arg;

	d->routed_ms = clock_mono_ms();
	if (d->set->context->is_draining) {
		delivery_give_back(d, NULL);
	} else if (failure) {
		fail_route(d, failure);
	} else if (strcmp(route->site, d->job->site) != 0) {
		delivery_give_back(d, route->site);
	} else {
		d->route = *route;
		d->set->callbacks->on_wait(d, false, d->set->arg);
	}
}

static void find_route(struct delivery *d)
{
	struct route sink = {.site = SINK_SITE, .n_hosts = 1, .hosts = {{.name = SINK_SITE}}};
	bool is_for_sink = strcmp(d->job->site, SINK_SITE) == 0;

	if (is_for_sink != d->job->record.is_test) {
		/* accept queues test mail, and only test mail, at the sink. Rather stop than let
		 * test mail out. */
		LOG(LOG_ERROR, "job.wrong_mode", LOG_S("job", d->job->ref));
		abort();
	}
	if (is_for_sink) {
		on_route(&sink, NULL, d);
		return;
	}
	d->asked_ms = clock_mono_ms();
	router_find(d->set->context->router, destination_of(d), on_route, d);
}

/* ---- content ---- */

/* Test mail has a share, so that live mail does not wait for it. */
static bool is_too_much(const struct delivery *d)
{
	return d->set->bytes > FETCHED_BYTES ||
	       (d->job->record.is_test && d->set->test_bytes > FETCHED_TEST_BYTES);
}

static void on_mail(const struct err *why, void *arg)
{
	static const struct connection_result unreadable = {
		.outcome = OUTCOME_DEFERRED, .text = "the content could not be read"};
	struct delivery *d = arg;

	delivery_set_weigh(d);
	if (is_too_much(d) || (why && why->kind == ERR_RETRY)) {
		delivery_give_back(d, NULL);
	} else if (why) {
		LOG(LOG_ERROR, "job.no_content", LOG_S("job", d->job->ref),
		    LOG_S("reason", why->text));
		delivery_fail(d, &unreadable, NULL);
	} else {
		find_route(d);
	}
}

/* Out of memory: the job goes back to the queue. */
static void give_job_back(const struct relay_context *c, struct job *j)
{
	LOG(LOG_ERROR, "job.no_memory", LOG_S("job", j->ref));
	job_lease_give_back(c->redis, c->owner, j, NULL, 0);
	job_free(j);
}

void delivery_start(struct delivery_set *set, struct job *j, struct delivery_queue *coming)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct err e;

	if (!d) {
		give_job_back(set->context, j);
		return;
	}
	d->job = j;
	d->started_ms = clock_mono_ms();
	delivery_set_add(set, d);
	delivery_set_weigh(d);
	delivery_set_move(d, DELIVERY_COMING, coming, false);
	if (envelope_address(d, &e) < 0) {
		LOG(LOG_ERROR, "job.no_memory", LOG_S("job", j->ref));
		delivery_give_back(d, NULL);
	} else if (d->n_recipients == 0 || set->context->is_draining ||
		   (!j->mail && is_too_much(d))) {
		delivery_give_back(d, NULL);
	} else if (!j->mail) {
		job_fetch(set->context->redis, j, on_mail, d);
	} else {
		find_route(d);
	}
}

/* ---- transaction ---- */

int delivery_prepare(struct delivery *d, struct connection_mail *mail)
{
	struct connection_result result = {.outcome = OUTCOME_DEFERRED,
					   .text = "the mail could not be signed"};
	struct err e;

	delivery_set_move(d, DELIVERY_SENDING, NULL, false);
	if (clock_mono_ms() + FENCE_MARGIN_MS > d->job->lease_until_ms) {
		delivery_give_back(d, NULL); /* the lease is lost, or nearly */
		return -1;
	}
	if (envelope_sign(d, &e) < 0) {
		LOG(LOG_ERROR, "dkim.failed", LOG_S("job", d->job->ref), LOG_S("reason", e.text));
		delivery_fail(d, &result, NULL);
		return -1;
	}
	*mail = (struct connection_mail){
		.sender = d->sender,
		.recipients = d->recipients,
		.n_recipients = d->n_open,
		.head = d->dkim.len ? d->dkim.data : NULL,
		.head_len = d->dkim.len,
		.body = d->job->mail,
		.body_len = d->job->mail_len,
	};
	d->sent_ms = clock_mono_ms();
	return 0;
}

void delivery_refuse(struct delivery *d, const struct err *why)
{
	struct connection_result result = {.outcome = OUTCOME_DEFERRED};

	if (why->kind == ERR_INPUT)
		result.outcome = OUTCOME_BOUNCED;
	snprintf(result.text, sizeof(result.text), "%.190s", why->text);
	delivery_fail(d, &result, NULL);
}

static void on_fence(bool is_yours, int64_t lease_until_ms, void *arg)
{
	struct delivery *d = arg;
	bool may_dot = is_yours && clock_mono_ms() + FENCE_MARGIN_MS <= lease_until_ms;

	d->waits_for_fence = false;
	if (d->stage == DELIVERY_OVER) {
		end_delivery(d);
		return;
	}
	if (!d->fence_fn)
		return; /* the connection died: the result is on its way to the store */
	if (!is_yours)
		LOG(LOG_WARN, "fence.refused", LOG_S("job", d->job->ref));
	d->job->lease_until_ms = may_dot ? lease_until_ms : 0;
	d->saw_dot = d->saw_dot || may_dot;
	d->fence_fn(may_dot, d->fence_arg);
}

void delivery_ask_fence(struct delivery *d, delivery_fence_fn *fn, void *arg)
{
	const struct relay_context *c = d->set->context;

	d->fence_fn = fn;
	d->fence_arg = arg;
	d->waits_for_fence = true;
	job_lease_fence(c->redis, c->owner, d->job, on_fence, d);
}

/* ---- after the transaction ---- */

static void on_settled(struct delivery *d, bool is_applied)
{
	(void)is_applied;
	end_delivery(d);
}

static void settle(struct delivery *d, const struct attempt_source *source)
{
	leave_queue(d, DELIVERY_SETTLING);
	if (settlement_start(d, source, on_settled) < 0)
		delivery_give_back(d, NULL);
}

void delivery_fail(struct delivery *d, const struct connection_result *result,
		   const struct attempt_source *source)
{
	for (size_t i = 0; i < d->n_open; i++)
		d->results[i] = *result;
	settle(d, source);
}

bool delivery_avoids(const struct delivery *d, const char *host)
{
	for (unsigned i = 0; i < d->n_avoided; i++)
		if (strcmp(d->avoided[i], host) == 0)
			return true;
	return false;
}

bool delivery_has_hosts(const struct delivery *d, const struct route *route)
{
	if (d->route.n_hosts != route->n_hosts)
		return false;
	for (size_t i = 0; i < route->n_hosts; i++)
		if (memcmp(&d->route.hosts[i].addr, &route->hosts[i].addr,
			   sizeof(route->hosts[i].addr)) != 0)
			return false;
	return true;
}

static bool has_outcome(const struct delivery *d, enum connection_outcome outcome, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < d->n_open; i++)
		count += d->results[i].outcome == outcome;
	return count >= n;
}

static void wait_again(struct delivery *d, bool is_first)
{
	d->sent_ms = 0;
	d->set->callbacks->on_wait(d, is_first, d->set->arg);
}

/* The final results, if any, are in the store, and the dot is cleared. The lease continues for the
 * other recipients. */
static void on_part_settled(struct delivery *d, bool is_applied)
{
	if (!is_applied) {
		end_delivery(d);
		return;
	}
	d->n_recipients -= d->n_ended;
	d->n_ended = 0;
	d->saw_dot = false;
	wait_again(d, true);
}

static void go_on(struct delivery *d, enum followup next, const struct attempt_source *source)
{
	if (d->n_ended == 0) {
		if (next == FOLLOWUP_OTHER_HOST)
			attempt_report_pass_on(d, source);
		if (!d->saw_dot) {
			wait_again(d, true);
			return;
		}
		delivery_set_move(d, DELIVERY_SETTLING, NULL, false);
		settlement_clear_dot(d, on_part_settled);
		return;
	}
	delivery_set_move(d, DELIVERY_SETTLING, NULL, false);
	if (settlement_start_part(d, source, on_part_settled) < 0)
		delivery_give_back(d, NULL);
}

/* While a dot or a fence has no reply, no further transaction is allowed. */
static bool may_go_on(const struct delivery *d)
{
	return !d->set->context->is_draining && !d->waits_for_fence &&
	       !has_outcome(d, OUTCOME_UNKNOWN, 1) && d->job->lease_until_ms > 0;
}

/* No recipient was tried, so this is not an attempt. */
static void retry_untried(struct delivery *d)
{
	if (d->set->context->is_draining || d->job->lease_until_ms == 0)
		delivery_give_back(d, NULL);
	else
		wait_again(d, false);
}

bool delivery_finish(struct delivery *d, const struct connection_result *results, size_t n,
		     const struct attempt_source *source)
{
	enum followup next;

	memcpy(d->results, results, n * sizeof(*results));
	d->fence_fn = NULL;
	followup_correct(d, n, source->has_tls_failed);
	if (has_outcome(d, OUTCOME_UNTRIED, n) && !d->waits_for_fence &&
	    ++d->untried < UNTRIED_MAX) {
		retry_untried(d);
		return true;
	}
	if (d->set->context->is_draining && has_outcome(d, OUTCOME_TOO_BIG, n)) {
		delivery_give_back(d, NULL);
		return true;
	}
	next = may_go_on(d) ? followup_plan(d, source->facts->host) : FOLLOWUP_NONE;
	if (next != FOLLOWUP_NONE) {
		go_on(d, next, source);
		return true;
	}
	settle(d, source);
	return false;
}
