/* The lease of the active hooks process, and the changes that are committed with it. */
#include "server/hooks/lease.h"

#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"

#define LEASE_MS 10000
#define RENEW_EVERY_MS 3000
#define TAKE_EVERY_MS 500 /* how often a waiting process requests the lease */

static void on_committed(bool is_ours, void *arg)
{
	struct lease *l = arg;

	l->is_committing = false;
	l->committed = l->filling - 1;
	if (is_ours && !l->is_held) {
		LOG(LOG_INFO, "hooks.active", LOG_S("owner", l->owner));
		l->is_held = true;
	}
	l->fn(is_ours, l->arg);
}

static void commit(struct lease *l, bool gives_up)
{
	l->is_given_up = gives_up;
	l->is_committing = true;
	l->renew_at = clock_mono_ms() + RENEW_EVERY_MS;
	l->filling++;
	deliveries_commit(l->redis, l->owner, gives_up ? 0 : LEASE_MS, &l->batch, on_committed, l);
}

static bool is_due(const struct lease *l, int64_t now_ms)
{
	int64_t at = l->is_held ? l->renew_at : l->renew_at - RENEW_EVERY_MS + TAKE_EVERY_MS;

	return l->batch.n > 0 || now_ms >= at;
}

void lease_tick(struct lease *l, int64_t now_ms, bool gives_up)
{
	if (l->is_committing || l->is_given_up)
		return;
	if (gives_up || is_due(l, now_ms))
		commit(l, gives_up);
}

void lease_init(struct lease *l, struct redis *redis, lease_fn *fn, void *arg)
{
	struct id id = id_make("own", 0);

	*l = (struct lease){.redis = redis, .filling = 1, .fn = fn, .arg = arg};
	snprintf(l->owner, sizeof(l->owner), "%s", id.text);
}

void lease_deinit(struct lease *l)
{
	command_deinit(&l->batch.words);
}
