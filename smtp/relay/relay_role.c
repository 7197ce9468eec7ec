/* The relay process: its parts, and how it drains. */
#include "smtp/relay/relay_role.h"

#include <stdio.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/mail/dkim.h"
#include "server/redis/redis.h"
#include "server/store/messages/transcripts.h"
#include "server/store/queue/lease.h"
#include "server/store/queue/settle.h"
#include "server/store/queue/slots.h"
#include "smtp/client/tls.h"
#include "smtp/relay/journal.h"
#include "smtp/relay/relay.h"
#include "smtp/sink.h"

#define SETTLE_POLL_MS 20

struct relay_process {
	struct relay relay;
	struct role *role;
	struct loop_timer settle_wait;
	char host_name[256];
	bool is_over;
	bool holds_leases;
};

static size_t unanswered(struct redis *redis)
{
	return lease_unanswered(redis) + settle_unanswered(redis) + slots_unanswered(redis) +
	       transcripts_unanswered(redis);
}

/* Jobs given back and results must reach Redis before the process ends. */
static void wait_for_redis(void *arg)
{
	struct relay_process *p = arg;

	if (unanswered(p->relay.redis) == 0)
		role_end(p->role, 0);
	else
		loop_timer_set(&p->settle_wait, SETTLE_POLL_MS);
}

static void on_drained(void *arg)
{
	struct relay_process *p = arg;

	if (p->is_over)
		return;
	p->is_over = true;
	loop_timer_set(&p->settle_wait, 0);
}

static void drain(struct role *r, int64_t ms, bool is_patient)
{
	struct relay_process *p = r->state;

	(void)ms;
	(void)is_patient;
	relay_drain(&p->relay);
}

static int load_dkim(struct relay *r, struct err *e)
{
	const struct config *c = r->config;

	return *c->dkim_key
		       ? dkim_key_load(&r->dkim, c->dkim_key, c->dkim_domain, c->dkim_selector, e)
		       : 0;
}

static void fill_in(struct relay_process *p, struct role *r)
{
	if (gethostname(p->host_name, sizeof(p->host_name) - 1) < 0)
		snprintf(p->host_name, sizeof(p->host_name), "localhost");
	p->role = r;
	p->relay.loop = r->loop;
	p->relay.redis = r->redis;
	p->relay.config = r->ctx->config;
	p->relay.owner = r->ctx->owner;
	p->relay.helo_name = *r->ctx->config->helo_name ? r->ctx->config->helo_name : p->host_name;
	p->relay.drained = on_drained;
	p->relay.drained_arg = p;
}

static int start(struct role *role, struct err *e)
{
	struct relay_process *p = role->state;
	struct relay *r = &p->relay;
	const char *ca_file = role->ctx->config->relay_ca_file;

	fill_in(p, role);
	r->tls = tls_context_new(*ca_file ? ca_file : NULL, e);
	if (!r->tls || load_dkim(r, e) < 0 || router_new(&r->router, r->loop, r->config, e) < 0 ||
	    journal_open(&r->journal, r->loop, r->config->data_dir, r->owner, e) < 0)
		return -1;
	r->sink = sink_new(r->loop, r->redis);
	if (!r->sink || loop_timer_init(&p->settle_wait, r->loop, wait_for_redis, p) < 0)
		return err_oom(e);
	return relay_start(r, e);
}

static void end(struct role *r)
{
	struct relay_process *p = r->state;
	unsigned n_left = p->relay.n_held;

	LOG(n_left ? LOG_WARN : LOG_INFO, "relay.ended", LOG_N("jobs_left", n_left),
	    LOG_S("hint", n_left ? "jobs at their final dot get possible_duplicate" : ""));
	p->holds_leases = n_left > 0;
	p->is_over = true; /* the call that fails next may release the last job */
}

static void stop(struct role *role)
{
	struct relay_process *p = role->state;
	struct relay *r = &p->relay;

	loop_timer_deinit(&p->settle_wait);
	relay_stop(r);
	sink_free(r->sink);
	journal_close(r->journal, p->holds_leases);
	router_free(r->router);
	dkim_key_free(r->dkim);
	tls_context_free(r->tls);
}

int role_relay(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS | REDIS_SUBSCRIBER,
		.start = start,
		.drain = drain,
		.end = end,
		.stop = stop,
	};
	struct relay_process p = {0};

	return role_run(&functions, ctx, &p);
}
