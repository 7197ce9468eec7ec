/* The relay process: starts its parts, drains them, stops them. */
#include "smtp/relay/relay_role.h"

#include "server/base/log.h"
#include "server/config/helo_name.h"
#include "server/redis/redis.h"
#include "server/route/router.h"
#include "server/store/messages/transcripts.h"
#include "server/store/queue/job_lease.h"
#include "server/store/queue/settle.h"
#include "server/store/queue/slots.h"
#include "server/stream/tls.h"
#include "smtp/journal/journal.h"
#include "smtp/relay/relay.h"
#include "smtp/sink.h"

#define SETTLE_POLL_MS 20

struct relay_process {
	struct relay relay;
	struct role *role;
	struct loop_timer settle_wait;
	char helo_name[HELO_NAME_MAX];
	bool is_over;
	bool holds_leases;
};

static size_t count_unanswered(struct redis *redis)
{
	return job_lease_unanswered(redis) + settle_unanswered(redis) + slots_unanswered(redis) +
	       transcripts_unanswered(redis);
}

/* Jobs given back and results must reach Redis before the process ends. */
static void wait_for_redis(void *arg)
{
	struct relay_process *p = arg;

	if (count_unanswered(p->relay.context.redis) == 0)
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

static void drain_role(struct role *r, int64_t ms, bool is_patient)
{
	struct relay_process *p = r->state;

	(void)ms;
	(void)is_patient;
	relay_drain(&p->relay);
}

static int load_dkim(struct relay_context *c, struct err *e)
{
	const struct config *config = c->config;

	return *config->dkim_key ? dkim_keys_init(&c->dkim, config->dkim_key, config->dkim_domain,
						  config->dkim_selector, e)
				 : 0;
}

static void fill_in_context(struct relay_process *p, struct role *r)
{
	const struct config *config = r->ctx->config;

	helo_name_find(config, p->helo_name);
	p->role = r;
	p->relay.context = (struct relay_context){
		.config = config,
		.loop = r->loop,
		.redis = r->redis,
		.owner = r->ctx->owner,
		.helo_name = p->helo_name,
	};
	p->relay.on_drained = on_drained;
	p->relay.arg = p;
}

static int start_role(struct role *role, struct err *e)
{
	struct relay_process *p = role->state;
	struct relay_context *c = &p->relay.context;
	const char *ca_file = role->ctx->config->relay_ca_file;

	fill_in_context(p, role);
	c->tls = tls_context_new(*ca_file ? ca_file : NULL, e);
	if (!c->tls || load_dkim(c, e) < 0 || router_new(&c->router, c->loop, c->config, e) < 0 ||
	    journal_open(&c->journal, c->loop, c->config->data_dir, c->owner, e) < 0)
		return -1;
	c->sink = sink_new(c->loop, c->redis);
	if (!c->sink || loop_timer_init(&p->settle_wait, c->loop, wait_for_redis, p) < 0)
		return err_oom(e);
	return relay_start(&p->relay, e);
}

static void end_role(struct role *r)
{
	struct relay_process *p = r->state;
	unsigned n_left = relay_count_jobs(&p->relay);

	if (n_left)
		LOG(LOG_WARN, "relay.ended", LOG_N("jobs_left", n_left),
		    LOG_S("hint",
			  "jobs without a reply to their final dot get possible_duplicate"));
	else
		LOG(LOG_INFO, "relay.ended", LOG_N("jobs_left", 0));
	p->holds_leases = n_left > 0;
	p->is_over = true; /* failing the pending calls may release the last job */
}

static void stop_role(struct role *role)
{
	struct relay_process *p = role->state;
	struct relay_context *c = &p->relay.context;

	loop_timer_deinit(&p->settle_wait);
	relay_stop(&p->relay);
	sink_free(c->sink);
	journal_close(c->journal, p->holds_leases);
	router_free(c->router);
	dkim_keys_deinit(&c->dkim);
	tls_context_free(c->tls);
}

int relay_role_run(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS | REDIS_SUBSCRIBER,
		.start = start_role,
		.drain = drain_role,
		.end = end_role,
		.stop = stop_role,
	};
	struct relay_process p = {0};

	return role_run(&functions, ctx, &p);
}
