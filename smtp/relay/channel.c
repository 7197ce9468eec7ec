/* Opens connections under slots, and carries deliveries over them. */
#include "smtp/relay/channel.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/links.h"
#include "server/base/metrics.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/channel_connect.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/relay/followup.h"
#include "smtp/relay/site_slots.h"
#include "smtp/sink.h"

#define IDLE_MS 5000   /* before an idle channel ends */
#define MAILS_MAX 1000 /* a channel */
#define LIFE_MS 300000
#define NO_LIST CHANNEL_STATES

/* ---- lists ---- */

static const enum metric state_metrics[CHANNEL_STATES] = {
	[CHANNEL_CONNECTING] = METRIC_CONNECTIONS_CONNECTING,
	[CHANNEL_IDLE] = METRIC_CONNECTIONS_IDLE,
	[CHANNEL_BUSY] = METRIC_CONNECTIONS_BUSY,
	[CHANNEL_ENDING] = METRIC_CONNECTIONS_ENDING,
};

static void unlink_channel(struct channel *c)
{
	struct channel_list *list = &c->pool->lists[c->state];

	LINKS_REMOVE(list->first, c);
	list->n--;
	metric_add(state_metrics[c->state], -1);
}

static void link_channel(struct channel *c)
{
	struct channel_list *list = &c->pool->lists[c->state];

	LINKS_ADD(list->first, c);
	list->n++;
	metric_add(state_metrics[c->state], 1);
}

/* The only function that changes the state of a channel, the lists of its pool, and the counts.
 * NO_LIST: a channel before its first state, and after its last. */
static void move_channel(struct channel *c, enum channel_state to)
{
	if (c->state == NO_LIST)
		metric_set(METRIC_CONNECTIONS_OPEN, ++*c->pool->n_open);
	else
		unlink_channel(c);
	c->state = to;
	if (to == NO_LIST)
		metric_set(METRIC_CONNECTIONS_OPEN, --*c->pool->n_open);
	else
		link_channel(c);
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

struct slot *channel_free(struct channel *c)
{
	struct slot *slot = c->slot;

	move_channel(c, NO_LIST);
	address_limit_leave(&c->call);
	sink_release(c->sink);
	loop_timer_deinit(&c->timer);
	transcript_deinit(&c->transcript);
	buf_deinit(&c->tried);
	free(c);
	return slot;
}

static void close_channel(struct channel *c)
{
	struct channel_pool *pool = c->pool;
	bool has_yielded = c->has_yielded;
	struct slot *slot = channel_free(c);

	pool->callbacks->on_closed(slot, has_yielded, pool->arg);
}

void channel_end(struct channel *c)
{
	if (!c->connection) { /* it waits for its address */
		close_channel(c);
		return;
	}
	loop_timer_cancel(&c->timer);
	move_channel(c, CHANNEL_ENDING);
	connection_quit(c->connection);
}

static void on_timer(void *arg)
{
	struct channel *c = arg;

	if (c->state == CHANNEL_IDLE)
		channel_end(c);
	else if (channel_waits_for_address(c))
		channel_try_hosts(c);
}

/* ---- for others that want its connection ---- */

bool channel_waits_for_address(const struct channel *c)
{
	return c->state == CHANNEL_CONNECTING && !c->connection;
}

bool channel_has_yielded(const struct channel *c)
{
	return c->has_yielded;
}

bool channel_is_before_body(const struct channel *c)
{
	enum connection_phase phase =
		c->connection ? connection_facts(c->connection)->phase : PHASE_NONE;

	return c->state == CHANNEL_BUSY && phase >= PHASE_MAIL && phase <= PHASE_DATA;
}

int64_t channel_since_ms(const struct channel *c)
{
	return channel_is_before_body(c) ? connection_waits_since_ms(c->connection) : c->since_ms;
}

unsigned channel_share(const struct channel *c)
{
	return c->slot->share->n;
}

struct channel *channel_next(const struct channel *c)
{
	return c->next;
}

static void give_up(struct channel *c)
{
	const struct connection_facts *facts = connection_facts(c->connection);
	char why[160];

	snprintf(why, sizeof(why), "no %s%s within %lld s, and other mail waited for a connection",
		 facts->phase <= PHASE_CONNECT    ? "connection"
		 : facts->phase == PHASE_GREETING ? "greeting"
		 : facts->phase < PHASE_MAIL      ? "session"
						  : "reply to ",
		 facts->phase < PHASE_MAIL ? "" : facts->stage,
		 (long long)(clock_mono_ms() - channel_since_ms(c)) / 1000);
	connection_give_up(c->connection, why);
}

static void yield_unconnected(struct channel *c)
{
	c->why = (struct connection_result){.outcome = OUTCOME_DEFERRED,
					    .text = "other mail waited for a connection"};
	channel_try_hosts(c);
}

void channel_yield(struct channel *c)
{
	LOG(LOG_INFO, "connection.yielded", LOG_S("site", c->pool->site),
	    LOG_S("project", c->slot->share->tenant), LOG_S("address", c->last.address),
	    LOG_S("stage", c->connection ? connection_facts(c->connection)->stage : "waits"),
	    LOG_N("ms", clock_mono_ms() - channel_since_ms(c)));
	metric_add(METRIC_CONNECTIONS_YIELDED, 1);
	c->has_yielded = true;
	if (c->state == CHANNEL_IDLE)
		channel_end(c);
	else if (c->connection)
		give_up(c);
	else
		yield_unconnected(c);
}

int channel_open(struct channel_pool *pool, struct slot *slot, const struct delivery *d,
		 struct err *e)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c || loop_timer_init(&c->timer, pool->context->loop, on_timer, c) < 0) {
		free(c);
		return err_oom(e);
	}
	c->pool = pool;
	c->state = NO_LIST;
	c->slot = slot;
	c->hosts.route = d->route;
	c->is_partial = d->n_avoided > 0;
	c->opened_ms = c->since_ms = clock_mono_ms();
	c->why = (struct connection_result){.outcome = OUTCOME_DEFERRED, .text = "cannot connect"};
	move_channel(c, CHANNEL_CONNECTING);
	channel_try_hosts(c);
	return 0;
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
	loop_timer_cancel(&c->timer);
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
	address_limit_leave(&c->call);
	c->since_ms = clock_mono_ms();
	move_channel(c, CHANNEL_IDLE);
	c->pool->callbacks->on_idle(c, c->pool->arg);
	if (c->state == CHANNEL_IDLE)
		loop_timer_set(&c->timer, IDLE_MS);
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
	struct connection_facts facts = *connection_facts(connection);

	c->connection = NULL;
	address_limit_leave(&c->call);
	if (c->state == CHANNEL_CONNECTING && !c->pool->context->is_draining)
		/* Without a failure it was ready, and ended before on_ready could fire. */
		channel_try_next_host(c, &facts, failure ? failure : &ended);
	else
		close_channel(c);
}

const struct connection_callbacks channel_connection_callbacks = {on_ready, on_fence, on_done,
								  on_closed};

/* ---- the end ---- */

void channel_end_unused(struct channel_pool *pool)
{
	for (int i = CHANNEL_CONNECTING; i <= CHANNEL_IDLE; i++)
		while (pool->lists[i].first)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked */
			channel_end(pool->lists[i].first);
}

void channel_free_all(struct channel_pool *pool)
{
	for (int i = 0; i < CHANNEL_STATES; i++) {
		struct channel_list *list = &pool->lists[i];

		while (list->first) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed was unlinked */
			connection_free(list->first->connection);
			site_slots_forget(&pool->context->shares, channel_free(list->first));
		}
	}
}
