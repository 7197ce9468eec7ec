/* Opens connections under slots, and carries deliveries over them. */
#include "smtp/relay/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "smtp/client/transcript.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/followup.h"
#include "smtp/relay/host_walk.h"
#include "smtp/sink.h"

#define IDLE_MS 5000   /* before an idle channel ends */
#define MAILS_MAX 1000 /* a channel */
#define LIFE_MS 300000
#define NO_LIST CHANNEL_STATES

struct channel {
	struct channel *next, *prev; /* of its list */
	struct channel_pool *pool;
	enum channel_state state;
	struct connection *connection;
	struct delivery *delivery;
	unsigned partition; /* whose slot it is */
	struct host_walk hosts;
	bool is_partial;        /* hosts are missing from the route */
	struct sink_peer *sink; /* the other end, when the channel leads to the sink */
	struct transcript transcript;
	struct buf tried;             /* lines of the hosts that failed before this one */
	struct connection_facts last; /* of the connection that failed or is being opened */
	unsigned n_mails;
	int64_t opened_ms, tried_ms; /* the channel; the host */
	struct loop_timer idle;
};

static const struct connection_callbacks callbacks;

/* ---- lists ---- */

/* The only function that changes the state of a channel, the lists of its pool, and the counts.
 * NO_LIST: a channel before its first state, and after its last. */
static void move_channel(struct channel *c, enum channel_state to)
{
	struct channel_list *lists = c->pool->lists;
	bool was_open = c->state != NO_LIST;

	if (was_open) {
		if (c->prev)
			c->prev->next = c->next;
		else
			lists[c->state].first = c->next;
		if (c->next)
			c->next->prev = c->prev;
		lists[c->state].n--;
	}
	c->state = to;
	if (!was_open)
		metric_set(METRIC_CONNECTIONS_OPEN, ++*c->pool->n_open);
	if (to == NO_LIST) {
		metric_set(METRIC_CONNECTIONS_OPEN, --*c->pool->n_open);
		return;
	}
	c->prev = NULL;
	c->next = lists[to].first;
	if (c->next)
		c->next->prev = c;
	lists[to].first = c;
	lists[to].n++;
}

unsigned channel_count_ready(const struct channel_pool *pool)
{
	return pool->lists[CHANNEL_IDLE].n + pool->lists[CHANNEL_BUSY].n;
}

unsigned channel_count(const struct channel_pool *pool)
{
	unsigned n = 0;

	for (int i = 0; i < CHANNEL_STATES; i++)
		n += pool->lists[i].n;
	return n;
}

static struct attempt_source source_of(const struct channel *c)
{
	/* The sink is shown by its name: its connection is a socketpair without an address. */
	bool is_connected = c->connection && !c->sink;

	return (struct attempt_source){
		.facts = is_connected ? connection_facts(c->connection) : &c->last,
		.transcript = &c->transcript,
		.hosts = c->n_mails > 1 ? NULL : &c->tried,
		.has_tls_failed = c->hosts.is_clear,
	};
}

static void free_channel(struct channel *c)
{
	move_channel(c, NO_LIST);
	sink_release(c->sink);
	loop_timer_deinit(&c->idle);
	transcript_deinit(&c->transcript);
	buf_deinit(&c->tried);
	free(c);
}

void channel_end(struct channel *c)
{
	loop_timer_cancel(&c->idle);
	move_channel(c, CHANNEL_ENDING);
	connection_quit(c->connection);
}

static void on_idle_timeout(void *arg)
{
	struct channel *c = arg;

	if (c->state == CHANNEL_IDLE)
		channel_end(c);
}

/* ---- connecting ---- */

static int connect_to_sink(struct channel *c, struct connection_options *options, struct err *e)
{
	struct loop *loop = c->pool->context->loop;
	int fd = sink_connect(c->pool->context->sink, &c->sink, e);

	if (fd < 0)
		return -1;
	options->tls_context = NULL;
	options->tls = ROUTE_TLS_OPPORTUNISTIC;
	return connection_adopt(&c->connection, loop, fd, options, &callbacks, c, e);
}

static int connect_to_host(struct channel *c, struct err *e)
{
	struct relay_context *context = c->pool->context;
	const struct route_host *host = host_walk_host(&c->hosts);
	const struct route *route = &c->hosts.route;
	struct connection_options options = {
		.helo_name = context->helo_name,
		.tls = route->tls,
		.verify = route->verify,
		.user = route->user,
		.password = route->password,
		.tls_context = context->tls,
		.transcript = &c->transcript,
		.is_clear = c->hosts.is_clear,
		.is_mx = !route->is_relay,
	};

	metric_add(METRIC_CONNECTIONS_OPENED, 1);
	connection_describe(host, &c->last);
	transcript_open(&c->transcript, c->last.host, c->last.address);
	if (strcmp(c->pool->site, SINK_SITE) == 0)
		return connect_to_sink(c, &options, e);
	if (!route->is_relay && !context->config->mx_allow_private &&
	    netblock_is_private((const struct sockaddr *)&host->addr))
		return err_set(e, ERR_REFUSED, "%s has a private address", host->name);
	return connection_open(&c->connection, context->loop, host, &options, &callbacks, c, e);
}

/* No session with any host of the route became ready. */
static void fail_channel(struct channel *c, const struct connection_result *result)
{
	struct channel_pool *pool = c->pool;
	struct connection_facts facts = c->last; /* used after the channel is freed */
	struct transcript transcript = c->transcript;
	struct buf tried = c->tried;
	struct route route = c->hosts.route;
	struct attempt_source source = {
		.facts = &facts, .transcript = &transcript, .hosts = &tried};
	struct channel_failure failure = {c->partition, &route, c->is_partial, result, &source};
	bool is_login = c->hosts.route.is_relay && result->code >= 500 && facts.phase == PHASE_AUTH;

	c->transcript = (struct transcript){0};
	c->tried = (struct buf){0};
	LOG(is_login ? LOG_ERROR : LOG_WARN, is_login ? "relay.login_refused" : "site.unreachable",
	    LOG_S("site", pool->site), LOG_N("code", result->code), LOG_S("reason", result->text));
	free_channel(c);
	pool->callbacks->on_failed(&failure, pool->arg);
	transcript_deinit(&transcript);
	buf_deinit(&tried);
}

/* The host failed. If another host follows, notes this one for the attempts. */
static void note_host(struct channel *c, const struct route_host *host,
		      const struct connection_result *result)
{
	const struct route_host *next = host_walk_host(&c->hosts);
	struct attempt_source source = {.facts = &c->last, .transcript = &c->transcript};

	if (next && next != host)
		attempt_report_host(c->pool->context, &source, result, c->tried_ms, &c->tried);
}

/* Connects to the next host that can be tried. result: the failure of the last one. */
static void try_hosts(struct channel *c, struct connection_result *result)
{
	const struct route_host *host;
	struct err e;

	while ((host = host_walk_host(&c->hosts))) {
		c->tried_ms = clock_mono_ms();
		if (connect_to_host(c, &e) == 0)
			return;
		snprintf(result->text, sizeof(result->text), "%.190s", e.text);
		transcript_note(&c->transcript, "%s", e.text);
		host_walk_skip(&c->hosts);
		note_host(c, host, result);
	}
	fail_channel(c, result);
}

int channel_open(struct channel_pool *pool, unsigned partition, const struct delivery *d,
		 struct err *e)
{
	struct connection_result result = {.outcome = OUTCOME_DEFERRED, .text = "cannot connect"};
	struct channel *c = calloc(1, sizeof(*c));

	if (!c || loop_timer_init(&c->idle, pool->context->loop, on_idle_timeout, c) < 0) {
		free(c);
		return err_oom(e);
	}
	c->pool = pool;
	c->state = NO_LIST;
	c->partition = partition;
	c->hosts.route = d->route;
	c->is_partial = d->n_avoided > 0;
	c->opened_ms = clock_mono_ms();
	move_channel(c, CHANNEL_CONNECTING);
	try_hosts(c, &result);
	return 0;
}

/* The connection failed before it was ready: tries the next host, or the same one without TLS. */
static void try_next_host(struct channel *c, const struct connection_facts *facts,
			  const struct connection_result *why)
{
	const struct route_host *host = host_walk_host(&c->hosts);
	struct connection_result result;

	c->last = *facts;
	c->last.has_tls_failed |= c->hosts.is_clear;
	LOG(LOG_INFO, "host.failed", LOG_S("site", c->pool->site), LOG_S("host", facts->host),
	    LOG_S("address", facts->address), LOG_S("stage", facts->stage),
	    LOG_N("code", why->code), LOG_S("reason", why->text));
	result = host_walk_fail(&c->hosts, facts, why);
	note_host(c, host, why);
	try_hosts(c, &result);
}

/* ---- carrying ---- */

bool channel_is_worn(const struct channel *c)
{
	return c->n_mails >= MAILS_MAX || clock_mono_ms() - c->opened_ms > LIFE_MS;
}

const char *channel_host(const struct channel *c)
{
	return host_walk_host(&c->hosts)->name;
}

struct channel *channel_find_idle(const struct channel_pool *pool, const struct delivery *d)
{
	for (struct channel *c = pool->lists[CHANNEL_IDLE].first; c; c = c->next)
		if (!delivery_avoids(d, channel_host(c)))
			return c;
	return NULL;
}

int channel_carry(struct channel *c, struct delivery *d)
{
	struct connection_mail mail;
	char message[31];
	struct err e;

	if (delivery_prepare(d, &mail) < 0)
		return -1;
	if (c->sink)
		sink_announce(c->sink, d->job->record.project, job_message(d->job, message));
	if (connection_send(c->connection, &mail, &e) < 0) {
		delivery_refuse(d, &e);
		return -1;
	}
	c->n_mails++;
	c->delivery = d;
	loop_timer_cancel(&c->idle);
	move_channel(c, CHANNEL_BUSY);
	return 0;
}

/* ---- callbacks of the connection ---- */

static void on_ready(struct connection *connection, void *arg)
{
	struct channel *c = arg;
	const struct connection_facts *facts = connection_facts(connection);

	if (c->state == CHANNEL_CONNECTING)
		LOG(LOG_DEBUG, "channel.ready", LOG_S("site", c->pool->site),
		    LOG_S("host", facts->host), LOG_S("tls", facts->tls_version),
		    LOG_N("ms", facts->ready_ms));
	move_channel(c, CHANNEL_IDLE);
	c->pool->callbacks->on_idle(c, c->pool->arg);
	if (c->state == CHANNEL_IDLE)
		loop_timer_set(&c->idle, IDLE_MS);
}

static void on_fence_reply(bool may_dot, void *arg)
{
	struct channel *c = arg;

	if (may_dot)
		connection_dot(c->connection);
	else
		connection_drop(c->connection);
}

static void on_fence(struct connection *connection, void *arg)
{
	struct channel *c = arg;

	(void)connection;
	delivery_ask_fence(c->delivery, on_fence_reply, c);
}

static void on_done(struct connection *connection, const struct connection_result *results,
		    size_t n, void *arg)
{
	struct channel *c = arg;
	struct delivery *d = c->delivery;
	struct attempt_source source = source_of(c);
	struct channel_done done = {
		.took_ms = clock_mono_ms() - d->sent_ms,
	};

	(void)connection;
	c->delivery = NULL;
	if (c->n_mails == 1)
		followup_avoid_failed(d, &c->hosts);
	/* 421 to the first MAIL counts like 421 in the greeting. */
	if (!delivery_finish(d, results, n, &source) && c->n_mails == 1 && results[0].code == 421 &&
	    results[0].phase == PHASE_MAIL)
		done.refusal = &results[0];
	c->pool->callbacks->on_done(&done, c->pool->arg);
}

static void on_closed(struct connection *connection, const struct connection_result *failure,
		      void *arg)
{
	static const struct connection_result ended = {
		.outcome = OUTCOME_DEFERRED,
		.text = "the server ended the session before the first mail"};
	struct channel *c = arg;
	struct channel_pool *pool = c->pool;
	struct connection_facts facts = *connection_facts(connection);
	unsigned partition = c->partition;

	c->connection = NULL;
	if (c->state == CHANNEL_CONNECTING && !pool->context->is_draining) {
		/* Without a failure it was ready, and ended before on_ready could fire. */
		try_next_host(c, &facts, failure ? failure : &ended);
		return;
	}
	free_channel(c);
	pool->callbacks->on_closed(partition, pool->arg);
}

static const struct connection_callbacks callbacks = {on_ready, on_fence, on_done, on_closed};

/* ---- the end ---- */

void channel_end_unused(struct channel_pool *pool)
{
	for (int i = CHANNEL_CONNECTING; i <= CHANNEL_IDLE; i++)
		while (pool->lists[i].first)
			channel_end(pool->lists[i].first);
}

void channel_free_all(struct channel_pool *pool)
{
	for (int i = 0; i < CHANNEL_STATES; i++) {
		struct channel_list *list = &pool->lists[i];

		while (list->first) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked */
			connection_free(list->first->connection);
			free_channel(list->first);
		}
	}
}
