/* Decides what the result of a post means for its event and for its endpoint. */
#include "server/hooks/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/redis/redis.h"

#define WINDOW_MAX 32

/* Seconds before try 2, 3 ...; scaled if webhook_retry_s sets another first delay. */
static const int64_t schedule_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};
#define TRIES (sizeof(schedule_s) / sizeof(*schedule_s) + 1)

static int64_t redis_now_ms(const struct target *t)
{
	return clock_real_ms() + redis_clock_offset_ms(t->shared->redis, 0);
}

static struct deliveries_batch *batch_of(const struct target *t)
{
	return &t->shared->lease.batch;
}

static struct retry retry_of(const struct post *p, unsigned tries)
{
	struct retry r = {.tries = tries, .sequence = p->sequence};

	snprintf(r.message, sizeof(r.message), "%s", p->message);
	return r;
}

/* ---- writing ---- */

static void write_delivery(const struct target *t, const struct post *p,
			   const struct fetch_response *a, int64_t next_ms, bool has_failed)
{
	json_t *json = post_delivery_json(p, a, next_ms);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return;
	if (p->is_test)
		deliveries_tested(batch_of(t), t->endpoint.id, p->id, text);
	else
		deliveries_log(batch_of(t), t->endpoint.id, text, has_failed);
	free(text);
}

static void log_failure(enum log_level level, const char *event, const struct target *t,
			const struct post *p, const struct fetch_response *a)
{
	const char *reason = a->status ? "the status of the response is not 2xx" : a->error;

	LOG(level, event, LOG_S("webhook", t->endpoint.id), LOG_S("event", p->id),
	    LOG_N("attempt", p->tries + 1), LOG_N("status", a->status), LOG_S("reason", reason),
	    LOG_N("ms", a->ms));
}

void outcome_note_loss(struct target *t, int64_t from_ms, int64_t until_ms)
{
	char texts[2][CLOCK_RFC3339_LEN];
	const char *from = texts[0], *until = texts[1];

	clock_rfc3339(from_ms, texts[0]);
	clock_rfc3339(until_ms, texts[1]);
	metric_add(METRIC_WEBHOOKS_LOST, 1);
	LOG(LOG_WARN, "webhook.events_lost", LOG_S("webhook", t->endpoint.id), LOG_S("from", from),
	    LOG_S("until", until), LOG_S("reason", "their retention is over (retention_s)"));
	deliveries_lost(batch_of(t), t->endpoint.id, from_ms, until_ms);
}

/* ---- failure ---- */

/* Delay until the next try: as scheduled, 20 % more or less, or longer if the endpoint requests it
 * (Retry-After). */
static int64_t wait_ms(const struct target *t, const struct post *p, const struct fetch_response *a)
{
	int64_t first_ms = t->shared->config->webhook_retry_s * 1000;
	int64_t ms = random_jitter(schedule_s[p->tries] * first_ms / schedule_s[0], 20);

	return a->retry_after_ms > ms ? a->retry_after_ms : ms;
}

/* After the last try: if another event was delivered since this one happened, only this event is
 * given up. Else the endpoint is disabled, and the event waits with the others. */
static void end_tries(const struct target *t, const struct post *p, const struct fetch_response *a,
		      struct outcome *out)
{
	log_failure(LOG_ERROR, "webhook.given_up", t, p, a);
	out->is_over = t->delivered_ms >= p->at_ms;
	if (out->is_over)
		return;
	if (a->status)
		snprintf(out->disable_reason, sizeof(out->disable_reason),
			 "nothing was delivered during %zu tries of %s; the last: status %d", TRIES,
			 p->id, a->status);
	else
		snprintf(out->disable_reason, sizeof(out->disable_reason),
			 "nothing was delivered during %zu tries of %s; the last: %s", TRIES, p->id,
			 a->error);
}

static void set_aside(struct target *t, const struct post *p, const struct fetch_response *a)
{
	int64_t next_ms = redis_now_ms(t) + wait_ms(t, p, a);
	struct retry retry = retry_of(p, p->tries + 1);

	write_delivery(t, p, a, next_ms, true);
	log_failure(LOG_WARN, "webhook.failed", t, p, a);
	retries_add(&t->retries, next_ms, &retry);
}

static void take_failure(struct target *t, const struct post *p, enum post_outcome result,
			 const struct fetch_response *a, struct outcome *out)
{
	bool is_last = p->tries + 1 >= TRIES;

	t->is_failing = true;
	metric_add(METRIC_WEBHOOKS_FAILED, 1);
	if (!t->is_gone && !is_last && result != POST_GONE) {
		set_aside(t, p, a);
		return;
	}
	write_delivery(t, p, a, 0, true);
	out->is_over = false;
	if (t->is_gone)
		return;
	if (result == POST_GONE)
		snprintf(out->disable_reason, sizeof(out->disable_reason),
			 "the endpoint responded 410 Gone");
	else
		end_tries(t, p, a, out);
}

/* ---- success ---- */

static void take_success(struct target *t, const struct post *p, const struct fetch_response *a)
{
	metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
	metric_observe(METRIC_WEBHOOK_MS, clock_real_ms() - p->at_ms);
	write_delivery(t, p, a, 0, false);
	t->delivered_ms = redis_now_ms(t);
	if (t->is_failing && t->retries.n)
		deliveries_soon(batch_of(t), t->endpoint.id, t->delivered_ms);
	t->is_failing = false;
}

/* ---- both ---- */

static void set_window(struct target *t, enum post_outcome result, const struct fetch_response *a)
{
	if (a->is_timeout)
		t->window = t->window > 1 ? t->window / 2 : 1;
	else if (result == POST_DELIVERED && t->window < WINDOW_MAX)
		t->window++;
}

struct outcome outcome_judge(struct target *t, const struct post *p, enum post_outcome result,
			     const struct fetch_response *a)
{
	struct outcome out = {.is_over = true};
	struct retry retry;

	set_window(t, result, a);
	if (result == POST_DELIVERED)
		take_success(t, p, a);
	else if (p->is_test)
		write_delivery(t, p, a, 0, false);
	else
		take_failure(t, p, result, a, &out);
	if (p->is_retry && out.is_over) {
		retry = retry_of(p, p->tries);
		retries_remove(&t->retries, &retry, result == POST_DELIVERED);
	}
	return out;
}

struct outcome outcome_give_up(struct target *t, const struct retry *retry, const char *reason)
{
	int64_t at_ms = id_ms(retry->message);
	struct outcome out = {.is_over = true};

	LOG(LOG_ERROR, "webhook.given_up", LOG_S("webhook", t->endpoint.id),
	    LOG_S("message", retry->message), LOG_N("attempt", retry->tries),
	    LOG_S("reason", reason));
	retries_remove(&t->retries, retry, false);
	outcome_note_loss(t, at_ms, at_ms);
	/* Without a try, the event only waited while the endpoint was disabled. */
	if (retry->tries > 0 && t->delivered_ms < at_ms)
		snprintf(out.disable_reason, sizeof(out.disable_reason),
			 "nothing was delivered for as long as events are kept (%s)",
			 retry->message);
	return out;
}
