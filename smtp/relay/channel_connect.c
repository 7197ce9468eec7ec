/* Connects a channel to the hosts of its route. */
#include "smtp/relay/channel_connect.h"

#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/config/config.h"
#include "server/config/networks.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/context.h"
#include "smtp/sink.h"

#define ASK_ADDRESS_MS 250 /* until a channel asks again for room at its address */

static bool is_for_sink(const struct channel *c)
{
	return strcmp(c->pool->site, SINK_SITE) == 0;
}

static int connect_to_sink(struct channel *c, struct connection_options *options, struct err *e)
{
	struct loop *loop = c->pool->context->loop;
	int fd = sink_connect(c->pool->context->sink, &c->sink, e);

	if (fd < 0)
		return -1;
	options->tls_context = NULL;
	options->tls = ROUTE_TLS_OPPORTUNISTIC;
	return connection_adopt(&c->connection, loop, fd, options, &channel_connection_callbacks, c,
				e);
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
	if (is_for_sink(c))
		return connect_to_sink(c, &options, e);
	if (!route->is_relay && !context->config->mx_allow_private &&
	    netblock_is_private((const struct sockaddr *)&host->addr))
		return err_set(e, ERR_REFUSED, "%s has a private address", host->name);
	return connection_open(&c->connection, context->loop, host, &options,
			       &channel_connection_callbacks, c, e);
}

/* No session with any host of the route became ready. */
static void fail_channel(struct channel *c)
{
	struct channel_pool *pool = c->pool;
	struct connection_facts facts = c->last; /* used after the channel is freed */
	struct connection_result why = c->why;
	struct transcript transcript = c->transcript;
	struct buf tried = c->tried;
	struct route route = c->hosts.route;
	struct attempt_source source = {
		.facts = &facts, .transcript = &transcript, .hosts = &tried};
	struct channel_failure failure = {
		.route = &route,
		.is_partial = c->is_partial,
		.is_untried = !c->is_tried,
		.result = &why,
		.source = &source,
	};
	bool is_login = route.is_relay && why.code >= 500 && facts.phase == PHASE_AUTH;

	c->transcript = (struct transcript){0};
	c->tried = (struct buf){0};
	LOG(is_login ? LOG_ERROR : LOG_WARN, is_login ? "relay.login_refused" : "site.unreachable",
	    LOG_S("site", pool->site), LOG_N("code", why.code), LOG_S("reason", why.text));
	failure.slot = channel_free(c);
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
		attempt_report_host(c->pool->context, &source, result, c->since_ms, &c->tried);
}

/* Counts the connection to the host. The relays of POSTERN_RELAY_URL and the sink have no limit. */
static enum address_verdict enter_address(struct channel *c, const struct route_host *host)
{
	uint8_t network[NETWORKS_ADDRESS] = {0}; /* stays zero if it is no IP address */

	if (c->hosts.route.is_relay || is_for_sink(c))
		return ADDRESS_FREE;
	networks_client((const struct sockaddr *)&host->addr, network);
	return address_limit_enter(&c->pool->context->addresses, &c->call, network,
				   clock_mono_ms());
}

static int try_host(struct channel *c, enum address_verdict verdict, struct err *e)
{
	c->since_ms = clock_mono_ms();
	connection_describe(host_walk_host(&c->hosts), &c->last);
	transcript_open(&c->transcript, c->last.host, c->last.address);
	if (verdict == ADDRESS_FREE) {
		c->is_tried = true;
		return connect_to_host(c, e);
	}
	metric_add(METRIC_ADDRESSES_SILENT, 1);
	return err_set(e, ERR_RETRY, "%u connections to %s have had no greeting for %d s",
		       c->pool->context->addresses.most, c->last.ip,
		       ADDRESS_LIMIT_SILENT_MS / 1000);
}

static void skip_host(struct channel *c, const char *why)
{
	const struct route_host *host = host_walk_host(&c->hosts);

	address_limit_leave(&c->call);
	c->why = (struct connection_result){.outcome = OUTCOME_DEFERRED};
	snprintf(c->why.text, sizeof(c->why.text), "%.190s", why);
	transcript_note(&c->transcript, "%s", why);
	host_walk_skip(&c->hosts);
	note_host(c, host, &c->why);
}

void channel_try_hosts(struct channel *c)
{
	const struct route_host *host;
	struct err e;

	while (!c->has_yielded && (host = host_walk_host(&c->hosts))) {
		enum address_verdict verdict = enter_address(c, host);

		if (verdict == ADDRESS_BUSY) {
			loop_timer_set(&c->timer, ASK_ADDRESS_MS);
			return;
		}
		if (try_host(c, verdict, &e) == 0)
			return;
		skip_host(c, e.text);
	}
	fail_channel(c);
}

void channel_try_next_host(struct channel *c, const struct connection_facts *facts,
			   const struct connection_result *why)
{
	const struct route_host *host = host_walk_host(&c->hosts);

	c->last = *facts;
	c->last.has_tls_failed |= c->hosts.is_clear;
	LOG(LOG_INFO, "host.failed", LOG_S("site", c->pool->site), LOG_S("host", facts->host),
	    LOG_S("address", facts->address), LOG_S("stage", facts->stage),
	    LOG_N("code", why->code), LOG_S("reason", why->text));
	c->why = host_walk_fail(&c->hosts, facts, why);
	if (!c->has_yielded)
		note_host(c, host, why);
	channel_try_hosts(c);
}
