/* What an endpoint did not take at first: deliveries that were set aside for later. */
#include "server/hooks/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/events/event.h"
#include "server/store/messages/messages.h"
#include "server/store/messages/cursor.h"
#include "server/redis/redis.h"

#define AT_ONCE 16
#define EVERY_MS 500

struct retry {
	struct target *target;
	unsigned tries, n;
	char message[ID_LEN + 1];
};

void retries_ended(struct target *t)
{
	t->n_retries_open--;
	t->retries_in = t->engine->batch_number;
	if (t->n_retries)
		t->n_retries--;
}

/* The store is away, or the endpoint, or us: it stays due. */
static void stays_due(struct target *t)
{
	t->n_retries_open--;
	t->retry_at = clock_mono_ms() + EVERY_MS;
}

/* Its place in the log was not kept. Behind what is a little before it, it comes once more. */
static struct post *make_post(const struct retry *r, const struct record *record,
			      const struct record_event *ev)
{
	struct buf cursor = {0};
	struct post *d;

	target_write_cursor(r->target, &(struct cursor_position){.at = ev->at_ms - 1}, &cursor);
	d = target_make_post(r->target, r->message, record, ev, cursor.len ? cursor.data : NULL);
	buf_deinit(&cursor);
	return d;
}

/* Its message was swept, or is damaged. */
static void give_up(const struct retry *r, const char *reason)
{
	struct target *t = r->target;
	char member[MEMBER_MAX], text[160];

	LOG(LOG_ERROR, "webhook.given_up", LOG_S("webhook", t->endpoint.id),
	    LOG_S("message", r->message), LOG_N("attempt", r->tries), LOG_S("reason", reason));
	snprintf(member, sizeof(member), "%u %s %u", r->tries, r->message, r->n);
	deliveries_over(&t->engine->batch, t->endpoint.id, member, t->seen_ms);
	target_lost(t, id_ms(r->message), id_ms(r->message));
	/* No try yet: it waited while the endpoint was disabled. */
	if (t->is_gone || r->tries == 0 || t->good_ms >= id_ms(r->message))
		return;
	snprintf(text, sizeof(text), "nothing got through for as long as events are kept (%s)",
		 r->message);
	target_disable(t, text);
}

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct retry *r = arg;
	struct target *t = r->target;
	const struct record_event *ev = record ? record_find_event(record, r->n) : NULL;
	bool may_go = !t->is_gone && !t->engine->is_stopping;
	struct post *d = NULL;

	if (ev && may_go)
		d = make_post(r, record, ev);
	if (d) {
		d->is_retry = true;
		d->tries = r->tries;
		post_send(d);
	} else if (may_go && (record || why->kind != ERR_RETRY)) {
		give_up(r, record ? "the event cannot be shown" : why->text);
		retries_ended(t);
	} else {
		stays_due(t);
	}
	free(r);
}

static void on_due(const char *const *members, size_t n, void *arg)
{
	struct target *t = arg;
	size_t count = 0;

	t->n_retries_open = 0;
	if (n == 0)
		t->retry_at = clock_mono_ms() + EVERY_MS;
	for (size_t i = 0; i < n && !t->is_gone; i++) {
		struct retry *r = calloc(1, sizeof(*r));

		if (!r)
			abort();
		r->target = t;
		if (post_read_member(members[i], &r->tries, r->message, &r->n) < 0) {
			deliveries_over(&t->engine->batch, t->endpoint.id, members[i], t->seen_ms);
			free(r);
			continue;
		}
		count++;
		t->n_retries_open++;
		messages_get(t->engine->redis, t->endpoint.project, r->message, on_record, r);
	}
	if (count == 0)
		target_go_on(t);
}

/* What changed the retries must be in the store before they are looked at again. */
void retries_go_on(struct target *t)
{
	struct engine *e = t->engine;

	if (t->n_retries == 0 || t->n_retries_open || t->retries_in > e->committed ||
	    clock_mono_ms() < t->retry_at)
		return;
	t->n_retries_open = 1;
	t->seen_ms = clock_real_ms() + redis_clock_offset_ms(e->redis);
	deliveries_due(e->redis, t->endpoint.id, t->seen_ms,
		       t->window < AT_ONCE ? t->window : AT_ONCE, on_due, t);
}

void retries_add(struct target *t, int64_t due_ms, const char *member)
{
	deliveries_again(&t->engine->batch, t->endpoint.id, due_ms, member);
	t->n_retries++;
	t->retries_in = t->engine->batch_number;
}

void retries_count(struct target *t, size_t n)
{
	bool is_exact = t->n_retries_open == 0 && t->retries_in <= t->engine->loaded_at;

	/* One too many costs a look; one too few is never looked for. */
	n += t->n_retries_open;
	if (is_exact || n > t->n_retries)
		t->n_retries = n;
	t->retry_at = 0;
}
