/* The events that wait for another try: counts them and reads those that are due. */
#include "server/hooks/retries.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/redis/redis.h"
#include "server/store/messages/messages.h"
#include "server/store/projects/endpoints.h"

#define EVERY_MS 500

int retry_read(const char *member, struct retry *out)
{
	char rest;

	return sscanf(member, "%3u %30s %9u%c", &out->tries, out->message, &out->sequence, &rest) ==
				       3 &&
			       id_valid("msg", out->message)
		       ? 0
		       : -1;
}

void retry_write(const struct retry *r, char out[RETRY_MEMBER_MAX])
{
	snprintf(out, RETRY_MEMBER_MAX, "%u %s %u", r->tries, r->message, r->sequence);
}

/* ---- those that are due ---- */

struct reading {
	struct retries *retries;
	struct retry retry;
};

void retries_end(struct retries *r)
{
	r->n_open--;
	r->changed_in = r->shared->lease.filling;
	if (r->n)
		r->n--;
}

static void keep_due(struct retries *r)
{
	r->n_open--;
	r->look_at = clock_mono_ms() + EVERY_MS;
}

static void on_record(const struct record *record, const struct err *why, void *arg)
{
	struct reading *reading = arg;
	struct retries *r = reading->retries;
	enum retries_verdict verdict = r->fn(&reading->retry, record, why, r->arg);

	free(reading);
	if (verdict == RETRIES_OVER)
		retries_end(r);
	else if (verdict == RETRIES_WAIT)
		keep_due(r);
}

static void read_record(struct retries *r, const char *member)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading) {
		r->look_at = clock_mono_ms() + EVERY_MS;
		return;
	}
	reading->retries = r;
	if (retry_read(member, &reading->retry) < 0) { /* damaged */
		deliveries_remove_retry(&r->shared->lease.batch, r->endpoint->id, member,
					r->seen_ms);
		free(reading);
		return;
	}
	r->n_open++;
	messages_get(r->shared->redis, r->endpoint->project, reading->retry.message, on_record,
		     reading);
}

static void on_due(const char *const *members, size_t n, void *arg)
{
	struct retries *r = arg;

	r->n_open = 0;
	if (n == 0)
		r->look_at = clock_mono_ms() + EVERY_MS;
	for (size_t i = 0; i < n; i++)
		read_record(r, members[i]);
}

/* Changes of the retries must be committed before the retries are read again. */
void retries_go_on(struct retries *r, size_t max)
{
	struct hooks_shared *shared = r->shared;

	if (r->n == 0 || r->n_open || r->changed_in > shared->lease.committed ||
	    clock_mono_ms() < r->look_at)
		return;
	r->n_open = 1;
	r->seen_ms = clock_real_ms() + redis_clock_offset_ms(shared->redis, 0);
	deliveries_due(shared->redis, r->endpoint->id, r->seen_ms, max, on_due, r);
}

/* ---- changes ---- */

void retries_add(struct retries *r, int64_t due_ms, const struct retry *retry)
{
	char member[RETRY_MEMBER_MAX];

	retry_write(retry, member);
	deliveries_put_retry(&r->shared->lease.batch, r->endpoint->id, due_ms, member);
	r->n++;
	r->changed_in = r->shared->lease.filling;
}

void retries_remove(struct retries *r, const struct retry *retry, bool is_delivered)
{
	struct deliveries_batch *batch = &r->shared->lease.batch;
	char member[RETRY_MEMBER_MAX];

	retry_write(retry, member);
	if (is_delivered)
		deliveries_remove_delivered(batch, r->endpoint->id, member, r->seen_ms);
	else
		deliveries_remove_retry(batch, r->endpoint->id, member, r->seen_ms);
}

void retries_count(struct retries *r, size_t n, uint64_t loaded_after)
{
	bool is_exact = r->n_open == 0 && r->changed_in <= loaded_after;

	/* A count that is too high costs one read. A count that is too low would lose a retry. */
	n += r->n_open;
	if (is_exact || n > r->n)
		r->n = n;
	r->look_at = 0;
}

void retries_init(struct retries *r, struct hooks_shared *shared, const struct endpoint *endpoint,
		  retries_fn *fn, void *arg)
{
	*r = (struct retries){.shared = shared, .endpoint = endpoint, .fn = fn, .arg = arg};
}
