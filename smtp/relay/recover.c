/* Recovers the work of a dead relay: first its journal, then its leases and slots. */
#include "smtp/relay/recover.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/store/queue/release.h"
#include "server/store/queue/settle.h"
#include "server/redis/redis.h"
#include "smtp/journal/journal.h"

#define TRY_AGAIN_MS 200
#define LOCKED_MS 10000 /* an owner that still has the lock after this time is alive */

struct recovery {
	struct role *role;
	struct loop_timer timer;
	unsigned n_open, n_entries, n_unanswered;
	int64_t locked_at; /* when the lock was first found locked; 0 = never */
	bool was_read;
	bool is_unreadable; /* the journal: it stays for the next start */
};

static void on_released(const struct err *why, void *arg)
{
	struct recovery *r = arg;

	if (!why && !r->n_unanswered && !r->is_unreadable)
		journal_remove(r->role->ctx->config->data_dir, r->role->ctx->owner);
	LOG(why ? LOG_ERROR : LOG_INFO, "owner.recovered", LOG_S("owner", r->role->ctx->owner),
	    LOG_N("journal_entries", r->n_entries), LOG_S("reason", why ? why->text : ""));
	role_end(r->role, why != NULL);
}

static void release_if_settled(struct recovery *r)
{
	if (r->was_read && r->n_open == 0)
		release_owner(r->role->redis, r->role->ctx->owner, on_released, r);
}

static void on_settled(enum settle_end how, void *arg)
{
	struct recovery *r = arg;

	r->n_open--;
	r->n_unanswered += how == SETTLED_UNKNOWN;
	release_if_settled(r);
}

static void on_entry(const struct journal_entry *entry, void *arg)
{
	struct recovery *r = arg;

	r->n_open++;
	r->n_entries++;
	settle_results(r->role->redis, r->role->ctx->owner, entry->ref, entry->epoch,
		       entry->retry_ms, entry->results, on_settled, r);
}

/* An owner that is alive belongs to another supervisor, which recovers it. */
static void wait_for_lock(struct recovery *r)
{
	if (!r->locked_at)
		r->locked_at = clock_mono_ms();
	if (clock_mono_ms() - r->locked_at < LOCKED_MS) {
		loop_timer_set(&r->timer, TRY_AGAIN_MS);
		return;
	}
	LOG(LOG_WARN, "owner.lives", LOG_S("owner", r->role->ctx->owner));
	role_end(r->role, 0);
}

static void start_recovery(void *arg)
{
	struct recovery *r = arg;
	struct err e = {0};

	if (!redis_is_connected(r->role->redis)) {
		loop_timer_set(&r->timer, TRY_AGAIN_MS);
		return;
	}
	if (journal_read(r->role->ctx->config->data_dir, r->role->ctx->owner, on_entry, r, &e) <
		    0 &&
	    e.kind != ERR_NOT_FOUND) {
		if (e.kind == ERR_RETRY) { /* still alive */
			wait_for_lock(r);
			return;
		}
		r->is_unreadable = true;
		LOG(LOG_ERROR, "journal.unreadable", LOG_S("owner", r->role->ctx->owner),
		    LOG_S("reason", e.text));
	}
	r->was_read = true;
	release_if_settled(r);
}

static int start_role(struct role *role, struct err *e)
{
	struct recovery *r = role->state;

	r->role = role;
	if (loop_timer_init(&r->timer, role->loop, start_recovery, r) < 0)
		return err_oom(e);
	loop_timer_set(&r->timer, 0);
	return 0;
}

/* On SIGTERM. Status 1, because not everything is released. */
static void drain_role(struct role *r, int64_t ms, bool is_patient)
{
	(void)ms;
	(void)is_patient;
	role_end(r, 1);
}

static void stop_role(struct role *role)
{
	struct recovery *r = role->state;

	loop_timer_deinit(&r->timer);
}

int recover_run(const struct role_context *ctx)
{
	static const struct role_functions functions = {
		.redis_needs = REDIS_SCRIPTS,
		.start = start_role,
		.drain = drain_role,
		.stop = stop_role,
	};
	struct recovery r = {0};

	return role_run(&functions, ctx, &r);
}
