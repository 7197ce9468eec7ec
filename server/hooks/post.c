/* One POST of an event to an endpoint, and what its answer means. */
#include "server/hooks/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/events/event.h"
#include "server/events/sign.h"
#include "server/base/json_text.h"
#include "server/redis/redis.h"

#define TIMEOUT_MS 15000
#define ANSWER_MAX ((size_t)16 << 10)
#define EXCERPT_MAX 500
#define WINDOW_MAX 32

/* Seconds before try 2, 3 ...; in proportion when the first is set otherwise. */
static const int64_t schedule_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};
#define TRIES (sizeof(schedule_s) / sizeof(*schedule_s) + 1)

struct post *post_new(struct target *t, const char *message, unsigned n, char *take_body)
{
	struct post *d = calloc(1, sizeof(*d));

	if (!d)
		abort(); /* crash-only: nothing was done with the event */
	d->target = t;
	snprintf(d->message, sizeof(d->message), "%s", message);
	d->n = n;
	d->body = take_body;
	event_id(message, n, d->id);
	return d;
}

void post_free(struct post *d)
{
	free(d->body);
	free(d);
}

int post_read_member(const char *member, unsigned *tries, char message[ID_LEN + 1], unsigned *n)
{
	char rest;

	return sscanf(member, "%3u %30s %9u%c", tries, message, n, &rest) == 3 &&
			       id_valid("msg", message)
		       ? 0
		       : -1;
}

static void write_member(const struct post *d, unsigned tries, char out[MEMBER_MAX])
{
	snprintf(out, MEMBER_MAX, "%u %s %u", tries, d->message, d->n);
}

/* ---- what came of it ---- */

/* From now to the next try: the schedule's, 20 % more or less, but what the endpoint asks for. */
static int64_t wait_ms(const struct post *d, const struct fetch_answer *a)
{
	int64_t first = d->target->engine->config->webhook_retry_s * 1000;
	int64_t ms = random_jitter(schedule_s[d->tries] * first / schedule_s[0], 20);

	return a->retry_after_ms > ms ? a->retry_after_ms : ms;
}

static json_t *log_json(const struct post *d, const struct fetch_answer *a, int64_t next_ms)
{
	size_t len = a->body_len < EXCERPT_MAX ? a->body_len : EXCERPT_MAX;
	char now[CLOCK_RFC3339_LEN], next[CLOCK_RFC3339_LEN];

	clock_rfc3339(clock_real_ms(), now);
	if (next_ms)
		clock_rfc3339(next_ms, next);
	return json_pack("{s:s, s:s, s:s*, s:i, s:s, s:o, s:I, s:s*, s:o, s:s?}", "event", d->id,
			 "type", d->type, "message", d->is_test ? NULL : d->message, "attempt",
			 (int)d->tries + 1, "at", now, "status",
			 a->status ? json_integer(a->status) : json_null(), "ms", (json_int_t)a->ms,
			 "error", *a->error ? a->error : NULL, "excerpt", json_text(a->body, len),
			 "next_attempt_at", next_ms ? next : NULL);
}

static void write_log(const struct post *d, const struct fetch_answer *a, int64_t next_ms,
		      bool has_failed)
{
	struct target *t = d->target;
	json_t *json = log_json(d, a, next_ms);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return;
	if (d->is_test)
		deliveries_tested(&t->engine->batch, t->endpoint.id, d->id, text);
	else
		deliveries_log(&t->engine->batch, t->endpoint.id, text, has_failed);
	free(text);
}

static void log_failure(enum log_level level, const char *event, const struct post *d,
			const struct fetch_answer *a)
{
	LOG(level, event, LOG_S("webhook", d->target->endpoint.id), LOG_S("event", d->id),
	    LOG_N("attempt", d->tries + 1), LOG_N("status", a->status), LOG_S("reason", a->error),
	    LOG_N("ms", a->ms));
}

/* It was the last try: true when only this event is refused; else the endpoint is disabled, and the
 * event waits with the others. */
static bool end_tries(const struct post *d, const struct fetch_answer *a)
{
	struct target *t = d->target;
	char reason[200];

	log_failure(LOG_ERROR, "webhook.given_up", d, a);
	if (t->good_ms >= d->at_ms)
		return true;
	snprintf(reason, sizeof(reason),
		 "nothing got through for %zu tries of %s; the last: ", TRIES, d->id);
	if (a->status)
		snprintf(reason + strlen(reason), sizeof(reason) - strlen(reason), "status %d",
			 a->status);
	else
		snprintf(reason + strlen(reason), sizeof(reason) - strlen(reason), "%s", a->error);
	target_disable(t, reason);
	return false;
}

static bool take_failure(const struct post *d, const struct fetch_answer *a)
{
	struct target *t = d->target;
	bool is_last = d->tries + 1 >= TRIES;
	char member[MEMBER_MAX];
	int64_t next;

	t->is_failing = true;
	metric_add(METRIC_WEBHOOKS_FAILED, 1);
	if (t->is_gone || is_last || a->status == 410) {
		write_log(d, a, 0, true);
		if (t->is_gone)
			return false;
		if (a->status != 410)
			return end_tries(d, a);
		target_disable(t, "it answered 410 Gone");
		return false;
	}
	next = clock_real_ms() + redis_clock_offset_ms(t->engine->redis) + wait_ms(d, a);
	write_log(d, a, next, true);
	log_failure(LOG_WARN, "webhook.failed", d, a);
	write_member(d, d->tries + 1, member);
	retries_add(t, next, member);
	return true;
}

static void take_success(const struct post *d, const struct fetch_answer *a)
{
	struct target *t = d->target;

	metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
	metric_observe(METRIC_WEBHOOK_MS, clock_real_ms() - d->at_ms);
	write_log(d, a, 0, false);
	t->good_ms = clock_real_ms() + redis_clock_offset_ms(t->engine->redis);
	if (t->is_failing && t->n_retries)
		deliveries_soon(&t->engine->batch, t->endpoint.id, t->good_ms);
	t->is_failing = false;
}

/* True when the event is done with, here; false: it stays where it is. */
static bool judge(const struct post *d, const struct fetch_answer *a)
{
	struct target *t = d->target;
	bool is_good = a->status >= 200 && a->status < 300;
	char member[MEMBER_MAX];
	bool is_over = true;

	if (a->is_timeout)
		t->window = t->window > 1 ? t->window / 2 : 1;
	else if (is_good && t->window < WINDOW_MAX)
		t->window++;
	if (is_good)
		take_success(d, a);
	else if (d->is_test)
		write_log(d, a, 0, false);
	else
		is_over = take_failure(d, a);
	if (!d->is_retry || !is_over)
		return is_over;
	write_member(d, d->tries, member);
	if (is_good)
		deliveries_told(&t->engine->batch, t->endpoint.id, member, t->seen_ms);
	else
		deliveries_over(&t->engine->batch, t->endpoint.id, member, t->seen_ms);
	return true;
}

static void land(struct target *t, const struct post *d)
{
	struct post **at = &t->flying;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
}

static void on_answer(const struct fetch_answer *a, void *arg)
{
	struct post *d = arg;
	struct target *t = d->target;

	t->in_flight--;
	t->engine->in_flight--;
	land(t, d);
	if (judge(d, a))
		target_ended(t, d->entry, d->partition);
	if (d->is_retry)
		retries_ended(t);
	post_free(d);
	target_go_on(t);
}

/* ---- sending ---- */

static void sign(const struct post *d, int64_t now_s, struct buf *out)
{
	const struct target *t = d->target;
	struct sign_input in = {d->id, now_s, d->body, strlen(d->body)};

	if (t->secret)
		sign_append(t->secret, &in, out);
	if (t->old_secret && t->endpoint.old_until_ms > clock_real_ms())
		sign_append(t->old_secret, &in, out);
}

void post_send(struct post *d)
{
	struct target *t = d->target;
	int64_t now_s = clock_real_ms() / 1000;
	char id[80], timestamp[64];
	struct buf signatures = {0}, line = {0};
	const char *headers[5] = {"Content-Type: application/json", id, timestamp, NULL, NULL};
	struct fetch_request q = {t->endpoint.url, headers,    d->body,
				  strlen(d->body), TIMEOUT_MS, ANSWER_MAX};

	snprintf(id, sizeof(id), "webhook-id: %s", d->id);
	snprintf(timestamp, sizeof(timestamp), "webhook-timestamp: %" PRId64, now_s);
	sign(d, now_s, &signatures);
	buf_fmt(&line, "webhook-signature: %s", buf_text(&signatures));
	headers[3] = buf_text(&line);
	d->next = t->flying;
	t->flying = d;
	t->in_flight++;
	t->engine->in_flight++;
	fetch_post(t->engine->fetch, &q, on_answer, d);
	buf_deinit(&signatures);
	buf_deinit(&line);
}
