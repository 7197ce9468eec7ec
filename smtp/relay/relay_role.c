/* The relay process: puts the mail door together, and drains it on SIGTERM. */
#include "smtp/relay/relay_role.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/mail/dkim.h"
#include "server/redis/redis.h"
#include "smtp/relay/journal.h"
#include "smtp/relay/relay.h"
#include "smtp/sink.h"
#include "smtp/client/tls.h"

#define PATIENT_MS (INT64_C(660) * 1000) /* RFC 5321 4.5.3.2.6 grants the dot 10 minutes */

struct door {
	struct relay relay;
	struct loop_timer drain_limit, settle_wait;
	char host_name[256];
	bool is_over;
	bool is_patient; /* drains, and nobody waits for it */
};

/* What was given back or settled must still reach the store. */
static void wait_for_store(void *arg)
{
	struct door *d = arg;

	if (jobs_unanswered(d->relay.redis) == 0)
		loop_stop(d->relay.loop);
	else
		loop_timer_set(&d->settle_wait, 20);
}

static void on_drained(void *arg)
{
	struct door *d = arg;

	if (d->is_over)
		return;
	d->is_over = true;
	loop_timer_set(&d->settle_wait, 0);
}

static void drain_too_long(void *arg)
{
	struct door *d = arg;

	LOG(LOG_WARN, "relay.drain_cut", LOG_N("jobs", d->relay.n_held),
	    LOG_S("hint", "what was at its final dot is flagged as possible duplicate"));
	loop_stop(d->relay.loop);
}

static void on_term(void *arg)
{
	struct door *d = arg;

	if (d->relay.is_draining && !d->is_patient) {
		loop_stop(d->relay.loop); /* the second SIGTERM: at once */
		return;
	}
	d->is_patient = false;
	LOG(LOG_INFO, "relay.draining", LOG_N("jobs", d->relay.n_held));
	loop_timer_set(&d->drain_limit, d->relay.config->drain_s * 1000);
	relay_drain(&d->relay);
}

/* Another generation relays beside us: what is under way has the time it takes. */
static void on_retire(void *arg)
{
	struct door *d = arg;

	if (d->relay.is_draining)
		return;
	LOG(LOG_INFO, "relay.retiring", LOG_N("jobs", d->relay.n_held));
	d->is_patient = true;
	loop_timer_set(&d->drain_limit, PATIENT_MS);
	relay_drain(&d->relay);
}

static int load_dkim(struct relay *r, struct err *e)
{
	const struct config *c = r->config;

	return *c->dkim_key
		       ? dkim_key_load(&r->dkim, c->dkim_key, c->dkim_domain, c->dkim_selector, e)
		       : 0;
}

static int open_door(struct door *d, const struct role_context *ctx, struct err *e)
{
	struct relay *r = &d->relay;
	const char *ca_file = *ctx->config->relay_ca_file ? ctx->config->relay_ca_file : NULL;

	r->config = ctx->config;
	r->owner = ctx->owner;
	r->drained = on_drained;
	r->drained_arg = d;
	if (gethostname(d->host_name, sizeof(d->host_name) - 1) < 0)
		snprintf(d->host_name, sizeof(d->host_name), "localhost");
	r->helo_name = *r->config->helo_name ? r->config->helo_name : d->host_name;
	r->loop = loop_new();
	r->tls = tls_context_new(ca_file, e);
	if (!r->loop || !r->tls)
		return r->loop ? -1 : err_oom(e);
	if (load_dkim(r, e) < 0 ||
	    redis_open(&r->redis, r->loop, r->config, REDIS_SCRIPTS | REDIS_SUBSCRIBER, e) < 0 ||
	    router_new(&r->router, r->loop, r->config, e) < 0 ||
	    journal_open(&r->journal, r->loop, r->config->data_dir, r->owner, e) < 0)
		return -1;
	r->sink = sink_new(r->loop, r->redis);
	if (!r->sink || loop_timer_init(&d->drain_limit, r->loop, drain_too_long, d) < 0 ||
	    loop_timer_init(&d->settle_wait, r->loop, wait_for_store, d) < 0 ||
	    loop_signal(r->loop, SIGTERM, on_term, d) < 0 ||
	    loop_signal(r->loop, SIGUSR1, on_retire, d) < 0 ||
	    loop_signal(r->loop, SIGINT, on_term, d) < 0)
		return err_oom(e);
	return relay_start(r, e);
}

static void close_door(struct door *d)
{
	struct relay *r = &d->relay;
	bool holds_leases = r->n_held > 0;

	loop_timer_deinit(&d->drain_limit);
	loop_timer_deinit(&d->settle_wait);
	d->is_over = true; /* what is abandoned may be the last that we hold */
	redis_abandon(r->redis);
	if (r->loop)
		relay_stop(r);
	sink_free(r->sink);
	journal_close(r->journal, holds_leases);
	router_free(r->router);
	redis_close(r->redis);
	dkim_key_free(r->dkim);
	tls_context_free(r->tls);
	loop_free(r->loop);
}

int role_relay(const struct role_context *ctx)
{
	struct door d = {0};
	struct err e;
	int rc = 1;

	if (open_door(&d, ctx, &e) < 0)
		LOG(LOG_ERROR, "relay.cannot_start", LOG_S("reason", e.text));
	else
		rc = loop_run(d.relay.loop) < 0;
	LOG(LOG_INFO, "relay.ended", LOG_N("jobs_left", d.relay.n_held));
	close_door(&d);
	return rc;
}
