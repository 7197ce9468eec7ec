/* A channel: one connection under a slot, which carries the deliveries of its site one after the
 * other. */
#include "smtp/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/queue/rest.h"
#include "smtp/sink.h"

#define IDLE_MS 5000   /* an idle channel is kept for so long */
#define MAILS_MAX 1000 /* a channel carries so many, then the slot is for whoever needs it */
#define LIFE_MS 300000
#define SESSIONS_MAX 2 /* hosts that let us connect and go no further, before we give up */
#define HOLD_MS 60000  /* after a refused connection: no more of them than there are */

struct channel {
	struct channel *next;
	struct site *site;
	struct connection *connection;
	struct delivery *delivery;
	unsigned partition; /* whose slot it is */
	struct route route;
	size_t host;            /* of the route */
	struct sink_peer *sink; /* the other end, when the channel leads to the sink */
	struct transcript transcript;
	struct connection_facts last; /* of the connection that failed, or is begun */
	bool is_ready, is_idle, is_clear, is_ending;
	unsigned n_mails, n_sessions;
	int64_t opened_ms;
	struct loop_timer idle;
};

static const struct connection_callbacks callbacks;

struct connection *channel_connection(const struct channel *l)
{
	return l->connection;
}

struct attempt_source channel_source(const struct channel *l)
{
	bool is_told = l->connection && !l->sink;

	return (struct attempt_source){.facts =
					       is_told ? connection_facts(l->connection) : &l->last,
				       .transcript = &l->transcript,
				       .has_tls_failed = l->is_clear};
}

/* It carries no more deliveries. */
static void retire(struct channel *l)
{
	struct site *s = l->site;

	if (l->is_ending)
		return;
	l->is_ending = true;
	if (l->is_ready)
		s->n_ready--;
	else
		s->n_connecting--;
	if (l->is_idle)
		s->n_idle--;
	l->is_idle = false;
}

static void channel_free(struct channel *l)
{
	struct site *s = l->site;
	struct channel **p = &s->channels;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	retire(l);
	s->n_lines--;
	s->relay->n_lines--;
	metric_set(METRIC_CONNECTIONS_OPEN, s->relay->n_lines);
	loop_timer_deinit(&l->idle);
	transcript_deinit(&l->transcript);
	free(l);
}

static void end_channel(struct channel *l)
{
	loop_timer_cancel(&l->idle);
	retire(l);
	connection_quit(l->connection);
}

static void idle_too_long(void *arg)
{
	struct channel *l = arg;

	if (l->is_idle)
		end_channel(l);
}

static bool is_sink(const struct site *s)
{
	return strcmp(s->name, "sink") == 0;
}

void channel_announce(const struct channel *l, const struct delivery *d)
{
	char message[31];

	if (l->sink)
		sink_announce(l->sink, d->job->record.project, job_message(d->job, message));
}

static int connect_channel(struct channel *l, struct err *e)
{
	struct relay *r = l->site->relay;
	struct connection_options options = {
		.helo_name = r->helo_name,
		.tls = l->route.tls,
		.verify = l->route.verify,
		.user = l->route.user,
		.password = l->route.password,
		.tls_context = r->tls,
		.transcript = &l->transcript,
		.is_clear = l->is_clear,
		/* A relay on this machine has our name; so may a host without a domain. */
		.finds_loops = !l->route.is_relay && strchr(r->helo_name, '.'),
	};
	const struct route_host *host = &l->route.hosts[l->host];
	int fd;

	metric_add(METRIC_CONNECTIONS_OPENED, 1);
	connection_describe(host, &l->last);
	transcript_open(&l->transcript, l->last.host, l->last.address);
	if (!is_sink(l->site)) {
		if (!l->route.is_relay && !r->config->mx_allow_private &&
		    netblock_is_private((const struct sockaddr *)&host->addr))
			return err_set(e, ERR_REFUSED, "%s has a private address", host->name);
		return connection_open(&l->connection, r->loop, host, &options, &callbacks, l, e);
	}
	options.tls_context = NULL;
	options.tls = ROUTE_TLS_OPPORTUNISTIC;
	fd = sink_connect(r->sink, &l->sink, e);
	return fd < 0 ? -1
		      : connection_adopt(&l->connection, r->loop, fd, &options, &callbacks, l, e);
}

/* The site is to be left alone: by this relay when it has channels that go on, by all when not. */
static void rest(struct site *s, unsigned n_others, const struct connection_result *why)
{
	s->hold_until = clock_mono_ms() + HOLD_MS;
	if (n_others == 0 && !is_sink(s))
		rest_site(s->relay->redis, s->name, why->code, why->text);
}

/* No host of the route took the connection. */
static void channel_failed(struct channel *l, const struct connection_result *failure)
{
	struct site *s = l->site;
	unsigned partition = l->partition;
	struct connection_facts last = l->last; /* they outlive the channel, for those who wait */
	struct transcript said = l->transcript;
	struct attempt_source source = {.facts = &last, .transcript = &said};
	bool is_login = l->route.is_relay && failure->code >= 500 && last.phase == PHASE_AUTH;

	l->transcript = (struct transcript){0};
	LOG(is_login ? LOG_ERROR : LOG_WARN, is_login ? "relay.login_refused" : "site.unreachable",
	    LOG_S("site", s->name), LOG_N("code", failure->code), LOG_S("reason", failure->text));
	channel_free(l);
	if (s->first && s->first->n_too_big)
		delivery_fail(site_next(s), failure, &source); /* of some hosts only */
	else if (failure->outcome == OUTCOME_DEFERRED)
		rest(s, s->n_ready, failure); /* told before the slot is given up */
	site_give_slot(s, partition, 1);
	if (s->n_lines == 0) {
		site_drop_grants(s);
		site_fail_waiting(s, failure, &source);
	}
	transcript_deinit(&said);
	site_pump(s);
}

static void try_hosts(struct channel *l, struct connection_result *failure)
{
	struct err e;

	for (; l->host < l->route.n_hosts; l->host++) {
		if (connect_channel(l, &e) == 0)
			return;
		snprintf(failure->text, sizeof(failure->text), "4.4.1 %.180s", e.text);
		transcript_note(&l->transcript, "%s", e.text);
	}
	channel_failed(l, failure);
}

void channel_open(struct site *s, unsigned partition)
{
	struct channel *l = calloc(1, sizeof(*l));
	struct connection_result failure = {.outcome = OUTCOME_DEFERRED,
					    .text = "4.4.1 cannot connect"};

	if (!l || loop_timer_init(&l->idle, s->relay->loop, idle_too_long, l) < 0)
		abort();
	l->site = s;
	l->partition = partition;
	l->route = s->first->route;
	l->opened_ms = clock_mono_ms();
	l->next = s->channels;
	s->channels = l;
	s->n_lines++;
	s->n_connecting++;
	s->relay->n_lines++;
	metric_set(METRIC_CONNECTIONS_OPEN, s->relay->n_lines);
	try_hosts(l, &failure);
}

static bool is_worn(const struct channel *l)
{
	return l->n_mails >= MAILS_MAX || clock_mono_ms() - l->opened_ms > LIFE_MS;
}

static const char *host_of(const struct channel *l)
{
	return l->route.hosts[l->host].name;
}

/* Gives the channel its next delivery, if there is one. */
void channel_feed(struct channel *l)
{
	struct delivery *d;

	if (is_worn(l) || l->site->relay->is_draining) {
		end_channel(l);
		return;
	}
	while (l->site->first && !delivery_avoids(l->site->first, host_of(l)) &&
	       (d = site_next(l->site))) {
		l->delivery = d;
		l->is_idle = false;
		l->site->n_idle--;
		l->n_mails++;
		if (delivery_send(d, l) == 0) {
			loop_timer_cancel(&l->idle);
			return;
		}
		l->delivery = NULL;
		l->is_idle = true;
		l->site->n_idle++;
	}
	loop_timer_set(&l->idle, IDLE_MS);
}

struct channel *channel_idle(const struct site *s, const struct delivery *d)
{
	for (struct channel *l = s->channels; l; l = l->next)
		if (l->is_idle && !l->is_ending && !delivery_avoids(d, host_of(l)))
			return l;
	return NULL;
}

/* ---- what connections tell ---- */

static void on_ready(struct connection *c, void *arg)
{
	struct channel *l = arg;
	struct site *s = l->site;

	if (!l->is_ready) {
		l->is_ready = true;
		s->n_connecting--;
		s->n_ready++;
		LOG(LOG_DEBUG, "channel.ready", LOG_S("site", s->name),
		    LOG_S("host", connection_facts(c)->host),
		    LOG_S("tls", connection_facts(c)->tls_version),
		    LOG_N("ms", connection_facts(c)->ready_ms));
	}
	l->is_idle = true;
	s->n_idle++;
	channel_feed(l);
	relay_look(s->relay);
}

static void on_fence(struct connection *c, void *arg)
{
	struct channel *l = arg;

	(void)c;
	delivery_fence(l->delivery);
}

/* 421 to the first MAIL is no better than 421 to the connection. */
static bool is_sent_away(const struct channel *l, const struct connection_result *result)
{
	return l->n_mails == 1 && result->code == 421 && result->phase == PHASE_MAIL;
}

static void on_done(struct connection *c, const struct connection_result *results, size_t n,
		    void *arg)
{
	struct channel *l = arg;
	struct delivery *d = l->delivery;
	int64_t took = (clock_mono_ms() - d->sent_ms) * 1000;
	bool is_too_big;

	(void)c;
	l->site->has_moved = true;
	if (is_sent_away(l, &results[0]))
		rest(l->site, l->site->n_ready - 1, &results[0]);
	l->site->took_us += ((took ? took : 500) - l->site->took_us) / 8;
	l->delivery = NULL;
	is_too_big = results[0].outcome == OUTCOME_TOO_BIG;
	delivery_done(d, results, n);
	if (is_too_big && l->site->first && l->site->first->n_too_big)
		end_channel(l); /* its slot is for the channel to another host */
}

/* RFC 5321 5.1: where we are a host, it and those behind it are none to try. */
static void found_loop(struct channel *l, struct connection_result *failure)
{
	if (l->host > 1)
		*failure = (struct connection_result){
			.outcome = OUTCOME_DEFERRED,
			.code = 450,
			.text = "4.4.6 better hosts failed, the next is this host"};
	l->host = l->route.n_hosts;
}

/* The channel never became ready: the next host, or the same without TLS. */
static void try_elsewhere(struct channel *l, const struct connection_facts *facts,
			  const struct connection_result *why)
{
	struct connection_result failure = *why;

	l->last = *facts;
	l->last.has_tls_failed |= l->is_clear;
	LOG(LOG_INFO, "host.failed", LOG_S("site", l->site->name), LOG_S("host", facts->host),
	    LOG_S("address", facts->address), LOG_S("stage", facts->stage),
	    LOG_N("code", why->code), LOG_S("reason", why->text));
	if (facts->has_tls_failed && l->route.tls == ROUTE_TLS_OPPORTUNISTIC && !l->is_clear) {
		l->is_clear = true;
	} else {
		l->is_clear = false;
		l->host++;
		l->n_sessions += facts->connect_ms >= 0;
	}
	if (why->outcome == OUTCOME_BOUNCED)
		found_loop(l, &failure);
	if (l->host >= l->route.n_hosts || l->n_sessions >= SESSIONS_MAX)
		channel_failed(l, &failure);
	else
		try_hosts(l, &failure);
}

static void on_closed(struct connection *c, const struct connection_result *failure, void *arg)
{
	static const struct connection_result ended = {
		.outcome = OUTCOME_DEFERRED,
		.text = "4.3.2 the server ended the session before the first mail"};
	struct channel *l = arg;
	struct site *s = l->site;
	unsigned partition = l->partition;

	if (!failure)
		failure = &ended; /* ready, and over before we heard of it */
	if (!l->is_ready && !l->is_ending && !s->relay->is_draining) {
		struct connection_facts facts = *connection_facts(c);

		l->connection = NULL;
		try_elsewhere(l, &facts, failure);
		return;
	}
	channel_free(l);
	if (s->first && !s->relay->is_draining)
		site_reuse_slot(s, partition); /* for those that wait */
	else
		site_give_slot(s, partition, 1);
	relay_check_drained(s->relay);
	site_pump(s);
}

static const struct connection_callbacks callbacks = {on_ready, on_fence, on_done, on_closed};

void channel_end_idle(struct site *s)
{
	for (struct channel *l = s->channels; l; l = l->next)
		if ((l->is_idle || !l->is_ready) && !l->is_ending)
			end_channel(l);
}

void channel_free_all(struct site *s)
{
	for (struct channel *l = s->channels, *next; l; l = next) {
		next = l->next;
		connection_free(l->connection);
		channel_free(l);
	}
}
