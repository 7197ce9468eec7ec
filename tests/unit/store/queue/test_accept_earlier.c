/* Idempotency-Keys while the number of partitions grows. */
#include "server/store/queue/accept_earlier.h"

#include "server/base/metrics.h"
#include "server/redis/partitions.h"
#include "server/store/queue/accept_place.h"
#include "tests/unit/store/store_fixture.h"

#define OTHER_FINGERPRINT "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define N 8

/* A key that selects another of 8 partitions than of 1. */
static const char *moving_key(void)
{
	static char key[65];

	do
		id_random(key, 64);
	while (accept_place(PROJECT, key, N) == 0);
	return key;
}

static struct accept_request with_key(const struct fixture *f, const char *key,
				      const char *fingerprint)
{
	struct accept_request m = plain_message(f);

	m.id = id_make("msg", accept_partition(f->store, PROJECT, key));
	m.idempotency = key;
	m.fingerprint = fingerprint;
	return m;
}

static struct accepted send_key(struct fixture *f, const char *key, const char *fingerprint)
{
	struct accept_request m = with_key(f, key, fingerprint);
	struct accepted a;

	accept_one(f, &m, &a);
	return a;
}

static bool knows_growth(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_growth(f->store)->n_steps == 2;
}

/* The step to 8 partitions is so far ahead. Returns its time. */
static int64_t grow(struct fixture *f, int64_t ahead_ms)
{
	int64_t from_ms = clock_real_ms() + redis_clock_offset_ms(f->store, 0) + ahead_ms;
	char growth[64];

	snprintf(growth, sizeof(growth), "1 0 %d %lld", N, (long long)from_ms);
	redis_do(f, "HSET pn:{g}:meta partitions %d growth %s", N, growth);
	assert_true(becomes(f, knows_growth, NULL));
	return from_ms;
}

static bool is_over(struct fixture *f, void *arg)
{
	const int64_t *ms = arg;

	return clock_real_ms() + redis_clock_offset_ms(f->store, 0) >= *ms;
}

static void wait_for_time(struct fixture *f, int64_t ms)
{
	assert_true(becomes(f, is_over, &ms));
}

static void a_key_of_before_the_growth_still_names_its_message(void **state)
{
	struct fixture *f = *state;
	char key[65];
	struct accepted first, again;

	snprintf(key, sizeof(key), "%s", moving_key());
	first = send_key(f, key, FINGERPRINT);
	wait_for_time(f, grow(f, 1500));
	again = send_key(f, key, FINGERPRINT);
	assert_int_equal(again.status, ACCEPT_REPLAYED);
	assert_string_equal(again.id, first.id);
	again = send_key(f, key, OTHER_FINGERPRINT);
	assert_int_equal(again.status, ACCEPT_CONFLICT);
	assert_string_equal(again.id, first.id);
	again = send_key(f, moving_key(), FINGERPRINT);
	assert_int_equal(again.status, ACCEPT_COMMITTED);
	assert_true(id_partition(again.id) > 0);
}

static void a_key_of_before_the_growth_is_not_searched_after_its_life(void **state)
{
	struct fixture *f = *state;
	char key[65];
	struct accepted again;

	snprintf(key, sizeof(key), "%s", moving_key());
	send_key(f, key, FINGERPRINT);
	f->config.idempotency_s = 1;
	wait_for_time(f, grow(f, 1500) + 1100);
	again = send_key(f, key, FINGERPRINT);
	assert_int_equal(again.status, ACCEPT_COMMITTED);
}

/* Its partition is chosen half a second before the step. */
static void a_key_with_its_new_partition_waits_for_the_step(void **state)
{
	struct fixture *f = *state;
	int64_t from_ms = grow(f, 2500);
	struct accepted a;

	wait_for_time(f, from_ms - 300);
	a = send_key(f, moving_key(), FINGERPRINT);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_true(id_partition(a.id) > 0);
	assert_true(a.at_ms >= from_ms);
}

static void a_message_with_the_old_partition_is_not_committed_after_the_step(void **state)
{
	struct fixture *f = *state;
	int64_t from_ms = grow(f, 3000);
	struct accept_request m = with_key(f, moving_key(), FINGERPRINT);
	struct accepted a = {0}, again;

	assert_int_equal(id_partition(m.id.text), 0);
	wait_for_time(f, from_ms - 700);
	kill(f->redis, SIGSTOP);
	accept_message(f->store, &m, on_accepted, &a);
	wait_for_time(f, from_ms + 100);
	assert_int_equal(a.calls, 0);
	kill(f->redis, SIGCONT);
	wait_call(f, &a.calls);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	again = send_key(f, m.idempotency, FINGERPRINT);
	assert_int_equal(again.status, ACCEPT_COMMITTED);
	assert_false(look_at(f, PROJECT, m.id.text).is_found);
}

/* The relays are behind, so other messages wait for accept_wait_s. */
static void a_key_does_not_wait_for_relays_until_a_step(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted with = {0}, without = {0};
	int64_t from_ms;

	assert_int_equal(metrics_init(), 0);
	f->config.accept_wait_s = 2;
	metric_set(METRIC_API_PROCESSES, 1);
	accept_one(f, &m, &with); /* the first look at the metrics */
	from_ms = grow(f, 3000);
	metric_hold(METRIC_BEHIND_NORMAL, 60000);
	wait_for_time(f, from_ms - 1500);
	m = plain_message(f);
	accept_message(f->store, &m, on_accepted, &without);
	m = with_key(f, moving_key(), FINGERPRINT);
	assert_int_equal(id_partition(m.id.text), 0);
	accept_one(f, &m, &with);
	assert_int_equal(with.status, ACCEPT_COMMITTED);
	assert_true(with.at_ms < from_ms);
	assert_int_equal(without.calls, 0);
	wait_call(f, &without.calls);
	assert_int_equal(without.status, ACCEPT_COMMITTED);
	metric_hold(METRIC_BEHIND_NORMAL, 0);
}

/* Two processes: the clock of the second is ahead, so it chooses the new partition too early. */
static void two_requests_around_the_step_make_one_message(void **state)
{
	struct fixture *f = *state;
	int64_t from_ms = grow(f, 3000);
	struct redis *first = f->store, *second;
	struct accept_request early = with_key(f, moving_key(), FINGERPRINT), late;
	struct accepted a = {0}, b = {0};
	struct err e;

	assert_int_equal(redis_open(&second, f->loop, &f->config, REDIS_SCRIPTS, &e), 0);
	f->store = second;
	wait_ready(f);
	redis_saw_time(second, 0, from_ms + 50);
	late = with_key(f, early.idempotency, FINGERPRINT);
	assert_true(id_partition(late.id.text) > 0);
	accept_message(second, &late, on_accepted, &b);
	f->store = first;
	run_for(f, 100);
	accept_message(first, &early, on_accepted, &a);
	wait_call(f, &a.calls);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_int_equal(b.calls, 0);
	wait_call(f, &b.calls);
	assert_int_equal(b.status, ACCEPT_REPLAYED);
	assert_string_equal(b.id, a.id);
	redis_close(second);
}

static void searches_end_when_the_process_ends(void **state)
{
	struct fixture *f = *state;
	int64_t from_ms = grow(f, 4000);
	struct accept_request m;
	struct accepted a = {0}, b = {0};

	redis_saw_time(f->store, 0, from_ms + 50);
	m = with_key(f, moving_key(), FINGERPRINT);
	accept_message(f->store, &m, on_accepted, &a);
	run_for(f, 200); /* waits for the step */
	m = with_key(f, moving_key(), FINGERPRINT);
	redis_saw_time(f->store, 0, from_ms + 50);
	accept_message(f->store, &m, on_accepted, &b); /* waits for a reply */
	redis_abandon(f->store);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.status, ACCEPT_NOT_ACCEPTED);
}

static void a_wrong_clock_does_not_make_a_key_wait_for_a_far_step(void **state)
{
	struct fixture *f = *state;
	int64_t from_ms = grow(f, 3600000);
	struct accept_request m;
	struct accepted a;

	redis_saw_time(f->store, 0, from_ms + 50);
	m = with_key(f, moving_key(), FINGERPRINT);
	assert_true(id_partition(m.id.text) > 0);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
}

UNIT_TESTS(READY(a_key_of_before_the_growth_still_names_its_message),
	   READY(a_key_of_before_the_growth_is_not_searched_after_its_life),
	   READY(a_key_with_its_new_partition_waits_for_the_step),
	   READY(a_message_with_the_old_partition_is_not_committed_after_the_step),
	   READY(a_key_does_not_wait_for_relays_until_a_step),
	   READY(two_requests_around_the_step_make_one_message),
	   READY(a_wrong_clock_does_not_make_a_key_wait_for_a_far_step),
	   READY(searches_end_when_the_process_ends))
