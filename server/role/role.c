/* The life of one role: start, drain on a signal, stop. */
#include "server/role/role.h"

#include <signal.h>

#include "server/base/log.h"
#include "server/redis/redis.h"

/* RFC 5321 4.5.3.2.6 grants a mail server 10 minutes after the final dot. */
#define PATIENT_MS (INT64_C(660) * 1000)

void role_end(struct role *r, int status)
{
	r->status = status;
	loop_stop(r->loop);
}

static int64_t drain_limit_ms(const struct role *r)
{
	if (r->is_patient)
		return PATIENT_MS;
	return r->functions->drain_ms ? r->functions->drain_ms : r->ctx->config->drain_s * 1000;
}

static void begin_drain(struct role *r, bool is_patient)
{
	int64_t ms;

	r->is_draining = true;
	r->is_patient = is_patient;
	ms = drain_limit_ms(r);
	LOG(LOG_INFO, "role.draining", LOG_N("limit_s", ms / 1000),
	    LOG_S("reason", is_patient ? "a reload replaced this process" : "SIGTERM"));
	loop_timer_set(&r->limit, ms);
	r->functions->drain(r, ms, is_patient);
}

/* SIGTERM during the patient drain of a reload begins the short drain; a second SIGTERM ends the
 * role at once. */
static void on_term(void *arg)
{
	struct role *r = arg;
	bool is_second = r->is_draining && !r->is_patient;

	if (is_second || !r->functions->drain)
		role_end(r, 0);
	else
		begin_drain(r, false);
}

/* SIGUSR1: after a reload, other processes have taken over. */
static void on_retire(void *arg)
{
	struct role *r = arg;

	if (!r->functions->drain)
		role_end(r, 0);
	else if (!r->is_draining)
		begin_drain(r, true);
}

static void on_limit(void *arg)
{
	LOG(LOG_WARN, "role.drain_cut",
	    LOG_S("hint", "the drain exceeded its time limit; open work was aborted"));
	role_end(arg, 0);
}

static int open_role(struct role *r, struct err *e)
{
	r->loop = loop_new();
	if (!r->loop || loop_timer_init(&r->limit, r->loop, on_limit, r) < 0 ||
	    loop_signal(r->loop, SIGTERM, on_term, r) < 0 ||
	    loop_signal(r->loop, SIGUSR1, on_retire, r) < 0)
		return err_oom(e);
	return redis_open(&r->redis, r->loop, r->ctx->config, r->functions->redis_needs, e);
}

static void run_state(struct role *r, struct err *e)
{
	if (r->functions->start(r, e) < 0) {
		LOG(LOG_ERROR, "role.cannot_start", LOG_S("reason", e->text));
	} else {
		r->status = 0;
		if (loop_run(r->loop) < 0)
			r->status = 1;
	}
	/* redis_abandon ends all open calls; their callbacks still find the state of the role. */
	if (r->functions->end)
		r->functions->end(r);
	redis_abandon(r->redis);
	r->functions->stop(r);
}

int role_run(const struct role_functions *functions, const struct role_context *ctx, void *state)
{
	struct role r = {.ctx = ctx, .state = state, .functions = functions, .status = 1};
	struct err e;

	if (open_role(&r, &e) == 0)
		run_state(&r, &e);
	else
		LOG(LOG_ERROR, "role.cannot_start", LOG_S("reason", e.text));
	redis_close(r.redis);
	loop_timer_deinit(&r.limit);
	loop_free(r.loop);
	return r.status;
}
