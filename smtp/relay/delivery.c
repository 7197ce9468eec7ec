/* One job on its way: route, channel, fence, result. */
#include "smtp/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/messages/transcripts.h"
#include "server/store/queue/lease.h"
#include "server/store/queue/rest.h"
#include "server/store/queue/settle.h"
#include "server/redis/redis.h"
#include "smtp/relay/journal.h"

#define SINK "sink"
#define FENCE_MARGIN_MS 2000 /* of the lease that must be left when the dot goes out */
#define UNTRIED_MAX 3
#define FETCHED_BYTES ((size_t)256 << 20) /* more than that in our hands: others may take it */

/* ---- life ---- */

static void unlink_delivery(struct delivery *d)
{
	struct relay *r = d->relay;

	if (d->prev)
		d->prev->next = d->next;
	else
		r->deliveries = d->next;
	if (d->next)
		d->next->prev = d->prev;
	r->n_held--;
	r->held_bytes -= d->bytes;
	metric_set(METRIC_JOBS_LEASED, r->n_held);
}

void delivery_free(struct delivery *d)
{
	unlink_delivery(d);
	job_free(d->job);
	free(d->recipients);
	free(d->numbers);
	buf_deinit(&d->dkim);
	buf_deinit(&d->transcript);
	free(d);
}

/* Out of our hands, as soon as the fence's answer is here. */
static void end(struct delivery *d)
{
	struct relay *r = d->relay;

	d->is_over = true;
	if (d->waits_for_fence)
		return;
	delivery_free(d);
	relay_look(r);
	relay_check_drained(r);
}

/* It is no longer on its way to its site: arrived there, or off. */
static void arrive(struct delivery *d)
{
	struct site *s;

	if (!d->is_coming)
		return;
	d->is_coming = false;
	s = site_get(d->relay, d->job->site);
	s->n_coming--;
	site_pump(s);
}

void delivery_give_back(struct delivery *d, const char *learned_site)
{
	arrive(d);
	metric_add(METRIC_GIVEN_BACK, 1);
	lease_give_back(d->relay->redis, d->relay->owner, d->job, learned_site, 0);
	end(d);
}

/* ---- route ---- */

static const char *destination_of(const struct delivery *d)
{
	return d->job->record.jobs[d->job->number].destination;
}

static void on_route(const struct route *route, const struct route_failure *failure, void *arg)
{
	struct delivery *d = arg;
	struct connection_result result = {.outcome = OUTCOME_DEFERRED};
	struct site *s;

	d->routed_ms = clock_mono_ms();
	if (d->relay->is_draining) {
		delivery_give_back(d, NULL);
		return;
	}
	if (failure) {
		/* A site that was learned is that of other destinations, too. */
		if (!failure->is_permanent && strcmp(d->job->site, destination_of(d)) == 0)
			rest_site(d->relay->redis, d->job->site, failure->code, failure->text);
		result.outcome = failure->is_permanent ? OUTCOME_BOUNCED : OUTCOME_DEFERRED;
		result.code = failure->code;
		snprintf(result.text, sizeof(result.text), "%s", failure->text);
		delivery_fail(d, &result, NULL);
		return;
	}
	if (strcmp(route->site, d->job->site) != 0) {
		delivery_give_back(d, route->site);
		return;
	}
	d->route = *route;
	s = site_get(d->relay, route->site);
	site_wait(s, d);
	arrive(d);
}

static void find_route(struct delivery *d)
{
	struct route sink = {.site = SINK, .n_hosts = 1, .hosts = {{.name = SINK}}};
	bool is_for_sink = strcmp(d->job->site, SINK) == 0;

	if (is_for_sink != d->job->record.is_test) {
		/* Cannot be: test mail is filed under the sink from the moment it is accepted. */
		LOG(LOG_ERROR, "job.wrong_mode", LOG_S("job", d->job->ref));
		abort();
	}
	if (is_for_sink) {
		on_route(&sink, NULL, d);
		return;
	}
	d->asked_ms = clock_mono_ms();
	router_find(d->relay->router, destination_of(d), on_route, d);
}

/* What is still in chunks counts as packed: most of it will be more. */
static void weigh(struct delivery *d)
{
	d->relay->held_bytes -= d->bytes;
	d->bytes = d->job->mail ? d->job->mail_len : d->job->record.packed_bytes;
	d->relay->held_bytes += d->bytes;
}

static void on_mail(const struct err *why, void *arg)
{
	struct delivery *d = arg;

	weigh(d);
	if (d->relay->held_bytes > FETCHED_BYTES || (why && why->kind == ERR_RETRY)) {
		delivery_give_back(d, NULL);
		return;
	}
	if (!why) {
		find_route(d);
		return;
	}
	LOG(LOG_ERROR, "job.no_content", LOG_S("job", d->job->ref), LOG_S("reason", why->text));
	delivery_fail(d,
		      &(struct connection_result){.outcome = OUTCOME_DEFERRED,
						  .code = 451,
						  .text = "4.3.0 the content could not be read"},
		      NULL);
}

void delivery_start(struct relay *r, struct job *j)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->relay = r;
	d->job = j;
	d->started_ms = clock_mono_ms();
	d->next = r->deliveries;
	if (d->next)
		d->next->prev = d;
	r->deliveries = d;
	r->n_held++;
	weigh(d);
	metric_set(METRIC_JOBS_LEASED, r->n_held);
	if (envelope_address(d) < 0)
		abort();
	d->is_coming = true;
	site_get(r, j->site)->n_coming++;
	if (d->n_recipients == 0 || r->is_draining || (!j->mail && r->held_bytes > FETCHED_BYTES)) {
		delivery_give_back(d, NULL);
		return;
	}
	if (!j->mail)
		job_fetch(r->redis, j, on_mail, d);
	else
		find_route(d);
}

/* ---- send ---- */

int delivery_send(struct delivery *d, struct channel *channel)
{
	struct connection_mail mail = {
		.sender = d->sender,
		.recipients = d->recipients,
		.n_recipients = d->n_recipients,
		.body = d->job->mail,
		.body_len = d->job->mail_len,
	};
	struct connection_result result = {.outcome = OUTCOME_DEFERRED, .code = 451};
	struct err e;

	if (clock_mono_ms() + FENCE_MARGIN_MS > d->job->lease_until_ms) {
		delivery_give_back(d, NULL); /* not ours any more, or nearly */
		return -1;
	}
	if (envelope_sign(d, &e) < 0) {
		LOG(LOG_ERROR, "dkim.failed", LOG_S("job", d->job->ref), LOG_S("reason", e.text));
		snprintf(result.text, sizeof(result.text), "4.7.0 the mail could not be signed");
		delivery_fail(d, &result, NULL);
		return -1;
	}
	mail.head = d->dkim.len ? d->dkim.data : NULL;
	mail.head_len = d->dkim.len;
	d->stage = DELIVERY_SENDING;
	d->channel = channel;
	channel_announce(channel, d);
	d->sent_ms = clock_mono_ms();
	if (connection_send(channel_connection(channel), &mail, &e) == 0)
		return 0;
	d->channel = NULL;
	snprintf(result.text, sizeof(result.text), "%.190s", e.text);
	if (e.kind == ERR_INPUT) {
		result.outcome = OUTCOME_BOUNCED;
		result.code = 550;
	}
	delivery_fail(d, &result, NULL);
	return -1;
}

static void on_fence(bool is_yours, int64_t lease_until_ms, void *arg)
{
	struct delivery *d = arg;

	d->waits_for_fence = false;
	if (d->is_over) {
		end(d);
		return;
	}
	if (!d->channel)
		return; /* the connection died meanwhile; the result is on its way */
	if (!is_yours)
		LOG(LOG_WARN, "fence.refused", LOG_S("job", d->job->ref));
	if (!is_yours || clock_mono_ms() + FENCE_MARGIN_MS > lease_until_ms) {
		d->job->lease_until_ms = 0;
		connection_drop(channel_connection(d->channel));
		return;
	}
	d->job->lease_until_ms = lease_until_ms;
	d->saw_dot = true;
	connection_dot(channel_connection(d->channel));
}

void delivery_fence(struct delivery *d)
{
	d->waits_for_fence = true;
	lease_fence(d->relay->redis, d->relay->owner, d->job, on_fence, d);
}

/* ---- results ---- */

static void on_settled(enum settle_end how, void *arg)
{
	struct delivery *d = arg;

	if (d->journal_entry && how != SETTLED_UNKNOWN)
		journal_confirm(d->relay->journal, d->journal_entry);
	if (d->transcript.len &&
	    (how == SETTLED_APPLIED || how == SETTLED_BEFORE || how == SETTLED_LATE))
		transcripts_keep(d->relay->redis, d->job->ref, d->job->epoch, d->transcript.data,
				 d->transcript.len);
	if (how == SETTLED_LOST || how == SETTLED_GONE)
		LOG(LOG_WARN, "result.not_applied", LOG_S("job", d->job->ref),
		    LOG_S("reason",
			  how == SETTLED_LOST ? "the lease was lost" : "there is no such job"));
	end(d);
}

static void settle(struct delivery *d, const struct connection_result *results,
		   const struct attempt_source *source)
{
	struct relay *r = d->relay;
	struct buf channels = {0};
	int64_t retry_ms = results_retry_ms(d);
	bool has_failed = false;

	results_tell(d, results);
	for (size_t i = 0; i < d->n_recipients; i++)
		has_failed = has_failed || results[i].outcome != OUTCOME_DELIVERED;
	if (has_failed && source)
		attempt_keep_transcript(d, source);
	attempt_write(d, source, &channels);
	results_write(d, results, &channels);
	if (channels.failed)
		abort(); /* the lease at the dot runs out: the outcome is then unknown, and flagged
			  */
	d->stage = DELIVERY_SETTLING;
	d->channel = NULL;
	if (d->saw_dot)
		d->journal_entry = journal_add(r->journal, d->job->ref, d->job->epoch, retry_ms,
					       channels.data);
	settle_results(r->redis, r->owner, d->job->ref, d->job->epoch, retry_ms, channels.data,
		       on_settled, d);
	buf_deinit(&channels);
}

void delivery_fail(struct delivery *d, const struct connection_result *result,
		   const struct attempt_source *source)
{
	struct connection_result *all = calloc(d->n_recipients + 1, sizeof(*all));

	if (!all)
		abort();
	for (size_t i = 0; i < d->n_recipients; i++)
		all[i] = *result;
	d->channel = NULL;
	arrive(d);
	settle(d, all, source);
	free(all);
}

static bool is_untried(const struct connection_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (results[i].outcome != OUTCOME_UNTRIED)
			return false;
	return true;
}

bool delivery_avoids(const struct delivery *d, const char *host)
{
	for (unsigned i = 0; i < d->n_too_big; i++)
		if (strcmp(d->too_big_at[i], host) == 0)
			return true;
	return false;
}

/* RFC 1870 6.3: another host may take more. False: there is none to ask. */
static bool go_elsewhere(struct delivery *d)
{
	struct route *route = &d->route;
	size_t n = 0;

	snprintf(d->too_big_at[d->n_too_big], sizeof(d->too_big_at[0]), "%s",
		 channel_source(d->channel).facts->host);
	if (++d->n_too_big == ROUTE_HOSTS_MAX)
		return false;
	for (size_t i = 0; i < route->n_hosts; i++)
		if (!delivery_avoids(d, route->hosts[i].name))
			route->hosts[n++] = route->hosts[i];
	route->n_hosts = n;
	if (n == 0)
		return false;
	d->channel = NULL;
	d->sent_ms = 0;
	site_wait_first(site_get(d->relay, route->site), d);
	return true;
}

void delivery_done(struct delivery *d, const struct connection_result *results, size_t n)
{
	struct attempt_source source;
	struct site *s;

	if (results[0].outcome == OUTCOME_TOO_BIG && d->relay->is_draining) {
		d->channel = NULL;
		delivery_give_back(d, NULL);
		return;
	}
	if (results[0].outcome == OUTCOME_TOO_BIG && go_elsewhere(d))
		return;
	if (!is_untried(results, n) || d->waits_for_fence || ++d->untried >= UNTRIED_MAX) {
		source = channel_source(d->channel);
		settle(d, results, &source);
		return;
	}
	d->channel = NULL;
	d->sent_ms = 0;
	if (d->relay->is_draining || d->job->lease_until_ms == 0) {
		delivery_give_back(d, NULL);
		return;
	}
	s = site_get(d->relay, d->route.site);
	site_wait(s, d);
	site_pump(s); /* the channel that ended makes room for another one */
}
