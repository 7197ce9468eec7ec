/* Brings the result of a delivery to the journal and to the store. */
#include "smtp/relay/settlement.h"

#include <stdlib.h>

#include "server/base/log.h"
#include "server/redis/redis.h"
#include "server/store/messages/transcripts.h"
#include "server/store/queue/settle.h"
#include "smtp/relay/attempt_report.h"
#include "smtp/relay/context.h"
#include "smtp/relay/delivery.h"
#include "smtp/journal/journal.h"
#include "smtp/relay/results.h"
#include "smtp/relay/retry.h"

static bool is_taken(enum settle_end how)
{
	return how == SETTLED_APPLIED || how == SETTLED_BEFORE || how == SETTLED_LATE;
}

static void on_settled(enum settle_end how, void *arg)
{
	struct delivery *d = arg;
	struct relay_context *c = d->set->context;

	if (d->journal_entry && how != SETTLED_UNKNOWN)
		journal_confirm(c->journal, d->journal_entry);
	if (d->transcript.len && is_taken(how))
		transcripts_keep(c->redis, d->job->ref, d->job->epoch, d->transcript.data,
				 d->transcript.len);
	if (how == SETTLED_LOST)
		LOG(LOG_WARN, "result.not_applied", LOG_S("job", d->job->ref),
		    LOG_S("reason", "the lease was lost"));
	if (how == SETTLED_GONE)
		LOG(LOG_WARN, "result.not_applied", LOG_S("job", d->job->ref),
		    LOG_S("reason", "the store has no such job"));
	d->journal_entry = 0;
	d->settled(d, how == SETTLED_APPLIED);
}

/* The dot was written, and there is no memory to record its result. If the process continued as if
 * nothing was sent, the mail would be sent twice without a flag. So the process aborts: then the
 * store treats the outcome as unknown and flags the recipients. */
static _Noreturn void abort_with_lost_result(const struct delivery *d)
{
	LOG(LOG_ERROR, "result.lost", LOG_S("job", d->job->ref), LOG_S("reason", "out of memory"));
	abort();
}

/* Settles the n recipients from `first` on. */
static int settle_range(struct delivery *d, const struct attempt_source *source, size_t first,
			size_t n, int64_t retry_ms)
{
	struct relay_context *c = d->set->context;
	struct buf lines = {0};

	attempt_report_write(d, source, &lines);
	results_write(d, first, n, &lines);
	if (lines.failed) {
		buf_deinit(&lines);
		if (d->saw_dot)
			abort_with_lost_result(d);
		return -1;
	}
	results_log(d, first, n, source);
	if (d->saw_dot)
		d->journal_entry =
			journal_add(c->journal, d->job->ref, d->job->epoch, retry_ms, lines.data);
	settle_results(c->redis, c->owner, d->job->ref, d->job->epoch, retry_ms, lines.data,
		       on_settled, d);
	buf_deinit(&lines);
	return 0;
}

static bool has_failed(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_recipients; i++)
		if (d->results[i].outcome != OUTCOME_DELIVERED)
			return true;
	return false;
}

int settlement_start(struct delivery *d, const struct attempt_source *source, settlement_fn *done)
{
	d->settled = done;
	if (source && has_failed(d))
		attempt_report_keep_transcript(d, source);
	return settle_range(d, source, 0, d->n_recipients, retry_delay_ms(d));
}

int settlement_start_part(struct delivery *d, const struct attempt_source *source,
			  settlement_fn *done)
{
	d->settled = done;
	return settle_range(d, source, d->n_recipients - d->n_ended, d->n_ended, SETTLE_KEEP_LEASE);
}

void settlement_clear_dot(struct delivery *d, settlement_fn *done)
{
	const struct relay_context *c = d->set->context;

	d->settled = done;
	settle_results(c->redis, c->owner, d->job->ref, d->job->epoch, SETTLE_KEEP_LEASE, "",
		       on_settled, d);
}
