/* Settles what a dead relay left behind: its journal first, then its leases and slots. */
#include "smtp/relay/relay_role.h"

#include <signal.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/store/queue/jobs.h"
#include "server/redis/redis.h"
#include "smtp/relay/journal.h"

#define TRY_AGAIN_MS 200
#define LOCKED_MS 10000 /* who holds the journal's lock for so long is not dead */

struct recovery {
	const struct role_context *ctx;
	struct loop *loop;
	struct redis *redis;
	struct loop_timer timer;
	unsigned n_open, n_entries, n_unanswered;
	int64_t locked_at; /* seen first; 0 = not */
	bool was_read;
	int rc;
};

static void on_released(const struct err *why, void *arg)
{
	struct recovery *r = arg;

	r->rc = why ? 1 : 0;
	if (!why && !r->n_unanswered)
		journal_remove(r->ctx->config->data_dir, r->ctx->owner);
	LOG(why ? LOG_ERROR : LOG_INFO, "owner.recovered", LOG_S("owner", r->ctx->owner),
	    LOG_N("journal_entries", r->n_entries), LOG_S("reason", why ? why->text : ""));
	loop_stop(r->loop);
}

static void release_if_settled(struct recovery *r)
{
	if (r->was_read && r->n_open == 0)
		jobs_release_owner(r->redis, r->ctx->owner, on_released, r);
}

static void on_settled(enum jobs_settled how, void *arg)
{
	struct recovery *r = arg;

	r->n_open--;
	r->n_unanswered += how == SETTLED_UNANSWERED;
	release_if_settled(r);
}

static void on_entry(const struct journal_entry *entry, void *arg)
{
	struct recovery *r = arg;

	r->n_open++;
	r->n_entries++;
	jobs_settle(r->redis, r->ctx->owner, entry->ref, entry->epoch, entry->retry_ms,
		    entry->results, on_settled, r);
}

/* Of a living owner its own supervisor takes care. */
static void wait_for_lock(struct recovery *r)
{
	if (!r->locked_at)
		r->locked_at = clock_mono_ms();
	if (clock_mono_ms() - r->locked_at < LOCKED_MS) {
		loop_timer_set(&r->timer, TRY_AGAIN_MS);
		return;
	}
	LOG(LOG_WARN, "owner.lives", LOG_S("owner", r->ctx->owner));
	r->rc = 0;
	loop_stop(r->loop);
}

static void begin(void *arg)
{
	struct recovery *r = arg;
	struct err e = {0};

	if (!redis_is_connected(r->redis)) {
		loop_timer_set(&r->timer, TRY_AGAIN_MS);
		return;
	}
	if (journal_read(r->ctx->config->data_dir, r->ctx->owner, on_entry, r, &e) < 0 &&
	    e.kind != ERR_NOT_FOUND) {
		if (e.kind == ERR_RETRY) { /* not dead yet */
			wait_for_lock(r);
			return;
		}
		LOG(LOG_ERROR, "journal.unreadable", LOG_S("owner", r->ctx->owner),
		    LOG_S("reason", e.text));
	}
	r->was_read = true;
	release_if_settled(r);
}

static void on_term(void *arg)
{
	loop_stop(arg);
}

int role_recover(const struct role_context *ctx)
{
	struct recovery r = {.ctx = ctx, .rc = 1};
	struct err e;

	r.loop = loop_new();
	if (!r.loop || redis_open(&r.redis, r.loop, ctx->config, REDIS_SCRIPTS, &e) < 0 ||
	    loop_timer_init(&r.timer, r.loop, begin, &r) < 0 ||
	    loop_signal(r.loop, SIGTERM, on_term, r.loop) < 0) {
		LOG(LOG_ERROR, "recover.cannot_start", LOG_S("owner", ctx->owner));
	} else {
		loop_timer_set(&r.timer, 0);
		loop_run(r.loop);
	}
	loop_timer_deinit(&r.timer);
	redis_abandon(r.redis);
	redis_close(r.redis);
	loop_free(r.loop);
	return r.rc;
}
