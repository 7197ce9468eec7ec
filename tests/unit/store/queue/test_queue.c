/* The queue against a real Redis: accept, take, fence, settle, read; and Redis dying meanwhile. */
#include "tests/unit/store/store_fixture.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/redis/link/command.h"

/* ---- the relay's side, asked and awaited ---- */

#define JOBS_MAX 64

static size_t unanswered(struct redis *redis)
{
	return job_lease_unanswered(redis) + settle_unanswered(redis) + slots_unanswered(redis);
}

struct taken {
	int calls;
	struct job *jobs[JOBS_MAX];
	size_t n_jobs;
	unsigned n_slots; /* over all sites */
	bool is_full;
};

static void on_taken(const struct take_result *taken, void *arg)
{
	struct taken *t = arg;

	t->calls++;
	if (!taken)
		return;
	t->is_full = taken->is_full;
	for (size_t i = 0; i < taken->n_jobs; i++) {
		assert_true(t->n_jobs < JOBS_MAX);
		t->jobs[t->n_jobs++] = taken->jobs[i];
	}
	for (size_t i = 0; i < taken->n_slots; i++)
		t->n_slots += taken->slots[i].count;
}

static struct taken take_from(struct fixture *f, unsigned partition, unsigned max_jobs)
{
	struct take_site ours = {"example.test", max_jobs, max_jobs, 0};
	struct take_request ask = {
		.max_jobs = max_jobs, .free_connections = 10, .sites = &ours, .n_sites = 1};
	struct taken t = {0};

	take_jobs(f->store, OWNER, partition, &ask, on_taken, &t);
	wait_call(f, &t.calls);
	return t;
}

/* The job of the one message that waits. */
static struct job *take_one(struct fixture *f)
{
	struct taken t = take_from(f, 0, 10);

	assert_int_equal(t.n_jobs, 1);
	return t.jobs[0];
}

static void free_jobs(struct taken *t)
{
	while (t->n_jobs)
		job_free(t->jobs[--t->n_jobs]);
}

struct fenced {
	int calls;
	bool is_yours;
	int64_t until_ms;
};

static void on_fence(bool is_yours, int64_t lease_until_ms, void *arg)
{
	struct fenced *d = arg;

	d->calls++;
	d->is_yours = is_yours;
	d->until_ms = lease_until_ms;
}

static struct fenced ask_fence(struct fixture *f, const struct job *j)
{
	struct fenced d = {0};

	job_lease_fence(f->store, OWNER, j, on_fence, &d);
	wait_call(f, &d.calls);
	return d;
}

/* ---- the way of a message ---- */

static void a_message_goes_from_accept_to_delivered(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a;
	struct looked_at l;
	struct fenced d;
	struct job *j;
	char id[31];

	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_string_equal(a.id, m.id.text);
	assert_true(llabs(a.at_ms - clock_real_ms()) < 5000);
	l = look_at(f, PROJECT, a.id);
	assert_string_equal(l.status, "queued");
	assert_string_equal(l.facts, m.facts);

	j = take_one(f);
	assert_string_equal(job_message(j, id), a.id);
	assert_string_equal(j->site, "example.test");
	assert_int_equal(j->mail_len, m.mail_len);
	assert_memory_equal(j->mail, m.mail, m.mail_len);
	assert_string_equal(j->record.sender, m.sender);
	assert_true(j->lease_until_ms > clock_mono_ms());
	d = ask_fence(f, j);
	assert_true(d.is_yours);
	assert_true(d.until_ms > clock_mono_ms() + 600000);

	assert_int_equal(settle(f, j->ref, j->epoch, "0 delivered 250 - 2.0.0 ok\n"),
			 SETTLED_APPLIED);
	assert_int_equal(settle(f, j->ref, j->epoch, "0 delivered 250 - 2.0.0 ok\n"),
			 SETTLED_BEFORE);
	assert_false(ask_fence(f, j).is_yours);
	l = look_at(f, PROJECT, a.id);
	assert_string_equal(l.status, "delivered");
	assert_string_equal(l.text, "2.0.0 ok");
	assert_int_equal(l.attempts, 1);
	job_free(j);
	assert_int_equal(take_from(f, 0, 10).n_jobs, 0);
	assert_int_equal(unanswered(f->store), 0);
}

static void a_deferred_message_has_the_time_of_its_next_attempt(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a;
	struct looked_at l;
	struct job *j;

	accept_one(f, &m, &a);
	j = take_one(f);
	assert_int_equal(settle(f, j->ref, j->epoch, "0 deferred 451 dup later\n"),
			 SETTLED_APPLIED);
	l = look_at(f, PROJECT, a.id);
	assert_string_equal(l.status, "deferred");
	assert_true(l.possible_duplicate);
	assert_in_range(l.next_attempt_ms, clock_real_ms() + 50000, clock_real_ms() + 61000);
	job_free(j);
}

static void results_for_jobs_of_another_lease_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	char ref[JOB_REF_MAX];
	struct accepted a;
	struct job *j;

	accept_one(f, &m, &a);
	j = take_one(f);
	assert_int_equal(settle(f, j->ref, j->epoch + 1, "0 bounced 550 - no\n"), SETTLED_LOST);
	snprintf(ref, sizeof(ref), "%s000", id_make("msg", 0).text);
	assert_int_equal(settle(f, ref, 1, "0 bounced 550 - no\n"), SETTLED_GONE);
	assert_int_equal(settle(f, j->ref, j->epoch, "0 married 250 - no such outcome\n"),
			 SETTLED_UNKNOWN);
	assert_string_equal(look_at(f, PROJECT, a.id).status, "queued");
	job_free(j);
}

static void a_message_of_another_project_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct looked_at theirs, none;
	struct accepted a;

	accept_one(f, &m, &a);
	theirs = look_at(f, "2", a.id);
	none = look_at(f, PROJECT, id_make("msg", 0).text);
	assert_false(theirs.is_found || none.is_found);
	assert_int_equal(theirs.kind, ERR_NOT_FOUND);
	assert_int_equal(none.kind, ERR_NOT_FOUND);
}

static void recipients_are_grouped_by_destination(void **state)
{
	static const char *const emails[] = {"a@one.test", "b@two.test", "c@one.test"};
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a;
	struct taken t;

	m.emails = emails;
	m.n_emails = 3;
	accept_one(f, &m, &a);
	t = take_from(f, 0, 10);
	assert_int_equal(t.n_jobs, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct job *j = t.jobs[i];

		assert_int_equal(j->record.n_recipients, 3);
		assert_string_equal(j->record.jobs[j->number].destination, j->site);
		assert_int_equal(j->record.recipients[0].job, j->record.recipients[2].job);
	}
	assert_int_equal(settle(f, t.jobs[0]->ref, t.jobs[0]->epoch,
				t.jobs[0]->number ? "1 bounced 550 - no\n"
						  : "0 delivered 250 - ok\n2 bounced 550 - no\n"),
			 SETTLED_APPLIED);
	assert_string_equal(look_at(f, PROJECT, a.id).status, "queued");
	assert_int_equal(settle(f, t.jobs[1]->ref, t.jobs[1]->epoch,
				t.jobs[1]->number ? "1 bounced 550 - no\n"
						  : "0 delivered 250 - ok\n2 bounced 550 - no\n"),
			 SETTLED_APPLIED);
	assert_string_equal(look_at(f, PROJECT, a.id).status, "mixed");
	free_jobs(&t);
}

static void a_scheduled_message_waits_and_a_test_one_goes_to_the_sink(void **state)
{
	struct fixture *f = *state;
	struct accept_request later = plain_message(f), test = plain_message(f);
	struct accepted a, b;
	struct job *j;

	later.not_before_ms = clock_real_ms() + 60000;
	test.is_test = true;
	accept_one(f, &later, &a);
	accept_one(f, &test, &b);
	j = take_one(f);
	assert_true(j->record.is_test);
	assert_string_equal(j->site, "sink");
	assert_string_equal(j->record.jobs[0].destination, "sink/example.test");
	assert_string_equal(look_at(f, PROJECT, a.id).status, "scheduled");
	assert_int_equal(look_at(f, PROJECT, a.id).next_attempt_ms, later.not_before_ms);
	job_free(j);
}

/* Takes n jobs at the site, where OWNER has a connection. A take may overtake what was given back.
 */
static struct taken take_at(struct fixture *f, const char *site, unsigned n)
{
	struct take_site ours = {site, n, 0, 0};
	struct take_request ask = {.max_jobs = n, .sites = &ours, .n_sites = 1};
	struct taken t = {0};

	for (int tries = 0; t.n_jobs < n && tries < 50; tries++) {
		t.calls = 0;
		take_jobs(f->store, OWNER, 0, &ask, on_taken, &t);
		wait_call(f, &t.calls);
	}
	assert_int_equal(t.n_jobs, n);
	return t;
}

static void a_job_that_is_given_back_is_taken_again(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct finished slots = {0};
	struct accepted a;
	struct taken t;
	struct job *j;

	accept_one(f, &m, &a);
	j = take_one(f);
	job_lease_give_back(f->store, OWNER, j, NULL, 0);
	t = take_at(f, "example.test", 1);
	assert_string_equal(t.jobs[0]->ref, j->ref);
	assert_true(t.jobs[0]->epoch > j->epoch);
	assert_false(ask_fence(f, j).is_yours);
	assert_true(ask_fence(f, t.jobs[0]).is_yours);
	assert_int_equal(look_at(f, PROJECT, a.id).attempts, 0);
	slots_give_back(f->store, OWNER, 0, "example.test", 1, on_finished, &slots);
	assert_true(becomes(f, was_called, &slots.calls));
	assert_int_equal(slots.why.kind, ERR_NONE);
	job_free(j);
	free_jobs(&t);
}

static void a_job_that_is_given_back_to_another_site_takes_its_turn_there(void **state)
{
	struct fixture *f = *state;
	struct accept_request m[3];
	struct accepted a[3];
	struct taken t;

	for (int i = 0; i < 3; i++) {
		m[i] = plain_message(f);
		accept_one(f, &m[i], &a[i]);
	}
	t = take_from(f, 0, 1);
	for (int i = 0; i < 2; i++) { /* the second time, no key stores the site of its turn */
		const char *site = i == 0 ? "mx.example.test" : "other.example.test";

		job_lease_give_back(f->store, OWNER, t.jobs[0], site, 0);
		free_jobs(&t);
		t = take_at(f, site, 1);
		assert_string_equal(t.jobs[0]->site, site);
		redis_do(f, "DEL pn:{p0}:site:example.test");
	}
	free_jobs(&t);
	t = take_at(f, "other.example.test", 2);
	free_jobs(&t);
}

struct renewed {
	int calls, yours;
};

static void on_renewed(const char *ref, int64_t epoch, bool is_yours, int64_t until_ms, void *arg)
{
	struct renewed *r = arg;

	(void)ref;
	(void)epoch;
	r->calls++;
	r->yours += is_yours;
	assert_true(until_ms > clock_mono_ms());
}

static bool both_renewed(struct fixture *f, void *arg)
{
	(void)f;
	return ((struct renewed *)arg)->calls == 2;
}

static void a_dead_owner_loses_its_jobs_to_the_next(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct renewed r = {0};
	struct finished d = {0};
	struct accepted a;
	struct taken again;
	struct job *j, stale;

	accept_one(f, &m, &a);
	j = take_one(f);
	stale = *j;
	stale.epoch += 7;
	job_lease_renew(f->store, OWNER, (struct job *[]){j, &stale}, 2, on_renewed, &r);
	assert_true(becomes(f, both_renewed, &r));
	assert_int_equal(r.yours, 1);
	release_owner(f->store, OWNER, on_finished, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.why.kind, ERR_NONE);
	assert_false(ask_fence(f, j).is_yours);
	again = take_from(f, 0, 10);
	assert_int_equal(again.n_jobs, 1);
	assert_string_equal(again.jobs[0]->ref, j->ref);
	job_free(j);
	free_jobs(&again);
}

struct woken {
	int calls;
};

static void on_wake(unsigned partition, void *arg)
{
	assert_int_equal(partition, 0);
	((struct woken *)arg)->calls++;
}

static void work_wakes_those_who_listen(void **state)
{
	static struct woken w; /* outlives the store that may still call */
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a;

	w.calls = 0;
	take_listen(f->store, on_wake, &w);
	assert_true(becomes(f, was_called, &w.calls)); /* the new subscription */
	run_for(f, 50);
	w.calls = 0;
	assert_int_equal(take_from(f, 0, 10).n_jobs, 0);
	accept_one(f, &m, &a);
	assert_true(becomes(f, was_called, &w.calls));
}

/* ---- idempotency ---- */

static void the_same_key_is_replayed_and_another_body_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	static const char key[] =
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	static const char other[] =
		"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
	unsigned partition = accept_partition(f->store, PROJECT, key);
	struct accept_request m = plain_message(f), again, conflict, theirs;
	struct accepted a, b, c, d;

	m.id = id_make("msg", partition);
	m.idempotency = key;
	again = conflict = theirs = m;
	again.id = id_make("msg", partition);
	conflict.id = id_make("msg", partition);
	conflict.fingerprint = other;
	theirs.project = "2";
	theirs.id = id_make("msg", accept_partition(f->store, "2", key));
	accept_one(f, &m, &a);
	accept_one(f, &again, &b);
	accept_one(f, &conflict, &c);
	accept_one(f, &theirs, &d);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_int_equal(b.status, ACCEPT_REPLAYED);
	assert_string_equal(b.id, a.id);
	assert_int_equal(c.status, ACCEPT_CONFLICT);
	assert_int_equal(d.status, ACCEPT_COMMITTED);
	assert_false(look_at(f, PROJECT, again.id.text).is_found);
	assert_false(look_at(f, PROJECT, conflict.id.text).is_found);
}

static void the_same_key_twice_in_one_batch_is_accepted_once(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), again;
	struct accepted a = {0}, b = {0};

	m.id = id_make("msg", accept_partition(f->store, PROJECT, FINGERPRINT));
	m.idempotency = FINGERPRINT;
	again = m;
	again.id = id_make("msg", accept_partition(f->store, PROJECT, FINGERPRINT));
	accept_message(f->store, &m, on_accepted, &a);
	accept_message(f->store, &again, on_accepted, &b);
	assert_true(becomes(f, was_called, &b.calls));
	assert_true(becomes(f, was_called, &a.calls));
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_int_equal(b.status, ACCEPT_REPLAYED);
	assert_string_equal(b.id, a.id);
}

static void a_clock_that_was_set_refuses_for_a_moment_only(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a;

	/* As if our clock, or Redis's, had been set by an hour since we asked. */
	redis_saw_time(f->store, 0, clock_real_ms() - 3600 * 1000);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_false(look_at(f, PROJECT, m.id.text).is_found);
	for (int i = 0; i < 100 && a.status != ACCEPT_COMMITTED; i++) {
		becomes_within(f, never, NULL, 50);
		m = plain_message(f);
		accept_one(f, &m, &a);
	}
	assert_int_equal(a.status, ACCEPT_COMMITTED);
}

static void the_same_id_again_is_the_same_message(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f);
	struct accepted a, b;
	struct taken t;

	accept_one(f, &m, &a);
	accept_one(f, &m, &b);
	assert_int_equal(b.status, ACCEPT_COMMITTED);
	assert_int_equal(b.at_ms, a.at_ms);
	t = take_from(f, 0, 10);
	assert_int_equal(t.n_jobs, 1);
	free_jobs(&t);
}

/* ---- contents ---- */

/* Bytes that zstd cannot make smaller. */
static char *noise(size_t len)
{
	char *mail = malloc(len + 1);

	assert_non_null(mail);
	id_random(mail, len);
	for (size_t i = 78; i + 1 < len; i += 80) {
		mail[i] = '\r';
		mail[i + 1] = '\n';
	}
	return mail;
}

static void large_contents_come_back_byte_for_byte(void **state)
{
	static const size_t sizes[] = {65000, 65536, 110000, 300000, 3000000};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *mail = noise(sizes[i]);
		struct accept_request m = plain_message(f);
		struct finished d = {0};
		struct accepted a;
		struct job *j;

		m.mail = mail;
		m.mail_len = sizes[i];
		accept_one(f, &m, &a);
		assert_int_equal(a.status, ACCEPT_COMMITTED);
		j = take_one(f);
		if (j->record.chunks) {
			assert_null(j->mail);
			job_fetch(f->store, j, on_finished, &d);
			assert_int_equal(d.calls, 0);
			assert_true(becomes(f, was_called, &d.calls));
			assert_int_equal(d.why.kind, ERR_NONE);
		}
		assert_int_equal(j->record.chunks > 0, j->record.packed_bytes > 65536);
		assert_int_equal(j->mail_len, sizes[i]);
		assert_memory_equal(j->mail, mail, sizes[i]);
		assert_int_equal(settle(f, j->ref, j->epoch, "0 delivered 250 - ok\n"),
				 SETTLED_APPLIED);
		assert_int_equal(redis_do(f, "EXISTS pn:{p0}:c:%s:0 pn:{p0}:c:%s", a.id, a.id), 0);
		job_free(j);
		free(mail);
	}
}

static void a_lost_chunk_is_an_error_and_no_mail(void **state)
{
	struct fixture *f = *state;
	char *mail = noise(300000);
	struct accept_request m = plain_message(f);
	struct finished d = {0};
	struct accepted a;
	struct job *j;

	m.mail = mail;
	m.mail_len = 300000;
	accept_one(f, &m, &a);
	j = take_one(f);
	assert_true(j->record.chunks >= 2);
	assert_int_equal(redis_do(f, "DEL pn:{p0}:c:%s:1", a.id), 1);
	job_fetch(f->store, j, on_finished, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.why.kind, ERR_NOT_FOUND);
	assert_null(j->mail);
	job_free(j);
	free(mail);
}

static void a_message_that_cannot_be_stored_is_not_accepted(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), good = plain_message(f);
	struct accepted a = {0}, b = {0};
	char sender[600];

	memset(sender, 'x', sizeof(sender) - 1);
	sender[sizeof(sender) - 1] = 0;
	m.sender = sender;
	accept_message(f->store, &m, on_accepted, &a);
	accept_message(f->store, &good, on_accepted, &b);
	assert_int_equal(a.calls + b.calls, 0);
	assert_true(becomes(f, was_called, &a.calls));
	assert_true(becomes(f, was_called, &b.calls));
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_int_equal(a.why.kind, ERR_INTERNAL);
	assert_int_equal(b.status, ACCEPT_COMMITTED);
}

static void a_message_that_the_script_refuses_is_not_accepted_and_affects_no_other(void **state)
{
	struct fixture *f = *state;
	struct accept_request bad = plain_message(f), good = plain_message(f);
	struct accepted a = {0}, b = {0};

	bad.facts = "two\nlines";
	accept_message(f->store, &bad, on_accepted, &a);
	accept_message(f->store, &good, on_accepted, &b);
	assert_true(becomes(f, was_called, &a.calls));
	assert_true(becomes(f, was_called, &b.calls));
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_int_equal(b.status, ACCEPT_COMMITTED);
}

/* ---- many ---- */

#define MANY 200

static bool all_ended(struct fixture *f, void *arg)
{
	const struct accepted *all = arg;

	(void)f;
	for (int i = 0; i < MANY; i++)
		if (all[i].calls == 0)
			return false;
	return true;
}

static void messages_of_all_partitions_are_taken_and_settled(void **state)
{
	struct fixture *f = *state;
	struct accepted *all = calloc(MANY, sizeof(*all));
	size_t n = 0, partitions = 0;

	for (int i = 0; i < MANY; i++) {
		struct accept_request m = plain_message(f);

		accept_message(f->store, &m, on_accepted, &all[i]);
	}
	assert_true(becomes(f, all_ended, all));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(all[i].status, ACCEPT_COMMITTED);
	for (unsigned p = 0; p < 4; p++) {
		struct taken t;

		do {
			t = take_from(f, p, JOBS_MAX);
			n += t.n_jobs;
			partitions |= t.n_jobs ? (size_t)1 << p : 0;
			for (size_t i = 0; i < t.n_jobs; i++)
				assert_int_equal(settle(f, t.jobs[i]->ref, t.jobs[i]->epoch,
							"0 delivered 250 - ok\n"),
						 SETTLED_APPLIED);
			free_jobs(&t);
		} while (t.is_full);
	}
	assert_int_equal(partitions, 15);
	assert_int_equal(n, MANY);
	free(all);
}

static void a_key_always_leads_to_the_same_partition_and_all_are_used(void **state)
{
	struct fixture *f = *state;
	int with_key[4] = {0}, without[4] = {0};
	char key[65];

	for (int i = 0; i < 4000; i++) {
		unsigned p;

		id_random(key, 64);
		p = accept_partition(f->store, PROJECT, key);
		assert_true(p < 4);
		assert_int_equal(accept_partition(f->store, PROJECT, key), p);
		with_key[p]++;
		without[accept_partition(f->store, PROJECT, NULL)]++;
	}
	for (int p = 0; p < 4; p++) {
		assert_in_range(with_key[p], 800, 1200);
		assert_in_range(without[p], 800, 1200);
	}
}

static void reading_partitions_before_the_store_replies_does_not_fix_their_number(void **state)
{
	struct fixture *f = *state;
	struct accept_request m;
	struct accepted a;
	struct taken t;

	f->config.partitions = 4;
	open_store(f, REDIS_SCRIPTS);
	job_lease_renew(f->store, OWNER, NULL, 0, NULL, NULL);
	start_redis(f);
	wait_ready(f);
	m = plain_message(f);
	m.id = id_make("msg", 3);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	t = take_from(f, 3, 10);
	assert_int_equal(t.n_jobs, 1);
	assert_true(ask_fence(f, t.jobs[0]).is_yours);
	free_jobs(&t);
}

/* ---- Redis dies ---- */

static void during_an_outage_nothing_is_accepted(void **state)
{
	struct fixture *f = *state;
	char *mail = noise(300000);
	struct accept_request m = plain_message(f), large = plain_message(f);
	struct accepted a, b;
	int64_t began;

	large.mail = mail;
	large.mail_len = 300000;
	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	began = clock_mono_ms();
	accept_one(f, &m, &a);
	accept_one(f, &large, &b);
	assert_true(clock_mono_ms() - began < 1000);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_int_equal(a.why.kind, ERR_RETRY);
	assert_int_equal(b.status, ACCEPT_NOT_ACCEPTED);
	start_redis(f);
	wait_ready(f);
	run_for(f, 300);
	assert_false(look_at(f, PROJECT, a.id).is_found);
	assert_false(look_at(f, PROJECT, b.id).is_found);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	free(mail);
}

static void a_killed_redis_loses_nothing_and_every_call_ends_once(void **state)
{
	struct fixture *f = *state;
	struct accepted *all = calloc(MANY, sizeof(*all));
	char(*ids)[ID_LEN + 1] = calloc(MANY, sizeof(*ids));
	int accepted = 0, refused = 0;

	for (int i = 0; i < MANY; i++) {
		struct accept_request m = plain_message(f);

		memcpy(ids[i], m.id.text, sizeof(ids[i]));
		accept_message(f->store, &m, on_accepted, &all[i]);
		if (i % 20 == 19)
			run_for(f, 1); /* a batch goes out, its answer may still be away */
		if (i == MANY / 2)
			kill_redis(f);
	}
	run_for(f, 200);
	start_redis(f);
	assert_true(becomes(f, all_ended, all));
	wait_ready(f);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(all[i].calls, 1);
		assert_string_equal(all[i].id, ids[i]);
		accepted += all[i].status == ACCEPT_COMMITTED;
		refused += all[i].status == ACCEPT_NOT_ACCEPTED;
		assert_int_equal(look_at(f, PROJECT, ids[i]).is_found,
				 all[i].status == ACCEPT_COMMITTED);
	}
	print_message("killed: %d accepted, %d not\n", accepted, refused);
	assert_true(accepted > 0);
	assert_int_equal(accepted + refused, MANY);
	run_for(f, 500);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(all[i].calls, 1);
	free(ids);
	free(all);
}

static void results_and_leases_survive_the_death_of_redis(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), second = plain_message(f);
	struct settled s = {0};
	struct fenced d = {0};
	struct taken t = {0};
	struct accepted a, b;
	struct take_request ask = {.max_jobs = 10, .free_connections = 10};
	struct job *j;

	accept_one(f, &m, &a);
	j = take_one(f);
	accept_one(f, &second, &b);
	kill_redis(f);
	job_lease_fence(f->store, OWNER, j, on_fence, &d);
	take_jobs(f->store, OWNER, 0, &ask, on_taken, &t);
	run_for(f, 300);
	assert_int_equal(d.calls + t.calls, 0);
	assert_int_equal(unanswered(f->store), 1);
	start_redis(f);
	assert_true(becomes(f, was_called, &d.calls));
	assert_true(becomes(f, was_called, &t.calls));
	assert_true(d.is_yours);
	kill_redis(f);
	settle_results(f->store, OWNER, j->ref, j->epoch, 0, "0 delivered 250 - ok\n", on_settled,
		       &s);
	run_for(f, 300);
	start_redis(f);
	assert_true(becomes(f, was_called, &s.calls));
	assert_int_equal(s.how, SETTLED_APPLIED);
	wait_ready(f);
	assert_string_equal(look_at(f, PROJECT, a.id).status, "delivered");
	run_for(f, 300);
	assert_int_equal(d.calls, 1);
	assert_int_equal(s.calls, 1);
	assert_int_equal(t.calls, 1);
	job_free(j);
	free_jobs(&t);
}

static void flushed_scripts_are_loaded_again(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), again = plain_message(f);
	struct accepted a;
	struct job *j;

	accept_one(f, &m, &a);
	redis_do(f, "FUNCTION FLUSH");
	j = take_one(f);
	redis_do(f, "FUNCTION FLUSH");
	assert_true(ask_fence(f, j).is_yours);
	redis_do(f, "FUNCTION FLUSH");
	assert_int_equal(settle(f, j->ref, j->epoch, "0 delivered 250 - ok\n"), SETTLED_APPLIED);
	redis_do(f, "FUNCTION FLUSH");
	accept_one(f, &again, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	job_free(j);
}

static void a_full_redis_accepts_nothing_but_settles(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), more = plain_message(f);
	struct accepted a, b = {0};
	struct job *j;

	accept_one(f, &m, &a);
	redis_do(f, "CONFIG SET maxmemory 1");
	accept_message(f->store, &more, on_accepted, &b);
	j = take_one(f);
	assert_int_equal(settle(f, j->ref, j->epoch, "0 delivered 250 - ok\n"), SETTLED_APPLIED);
	assert_string_equal(look_at(f, PROJECT, a.id).status, "delivered");
	run_for(f, 300);
	assert_int_equal(b.calls, 0);
	assert_false(look_at(f, PROJECT, more.id.text).is_found);
	redis_do(f, "CONFIG SET maxmemory 0");
	assert_true(becomes(f, was_called, &b.calls));
	assert_int_equal(b.status, ACCEPT_COMMITTED);
	job_free(j);
}

/* ---- the process ends ---- */

static void all_calls_end_when_the_process_ends(void **state)
{
	struct fixture *f = *state;
	struct accept_request m = plain_message(f), large = plain_message(f), posted;
	char *mail = noise(300000);
	struct accepted a = {0}, b = {0}, c = {0};
	struct looked_at l = {0};
	struct settled s[3] = {{0}};
	struct fenced d = {0};
	struct taken t = {0};
	struct finished r = {0};
	struct take_request ask = {.max_jobs = 1};
	struct accepted first;
	struct job *j;

	accept_one(f, &m, &first);
	j = take_one(f);
	kill(f->redis, SIGSTOP);
	m = plain_message(f);
	posted = plain_message(f);
	large.mail = mail;
	large.mail_len = 300000;
	accept_message(f->store, &m, on_accepted, &a);
	accept_message(f->store, &large, on_accepted, &b);
	settle_results(f->store, OWNER, j->ref, j->epoch, 0, "0 delivered 250 - a\n", on_settled,
		       s);
	run_for(f, 30);
	settle_results(f->store, OWNER, j->ref, j->epoch, 0, "0 delivered 250 - b\n", on_settled,
		       s + 1);
	job_lease_fence(f->store, OWNER, j, on_fence, &d);
	take_jobs(f->store, OWNER, 0, &ask, on_taken, &t);
	release_owner(f->store, OWNER, on_finished, &r);
	messages_get(f->store, PROJECT, m.id.text, on_message, &l);
	run_for(f, 30);
	accept_message(f->store, &posted, on_accepted, &c);
	settle_results(f->store, OWNER, j->ref, j->epoch, 0, "0 delivered 250 - c\n", on_settled,
		       s + 2);
	redis_abandon(f->store);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.status, ACCEPT_OUTCOME_UNKNOWN);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.status, ACCEPT_NOT_ACCEPTED);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.status, ACCEPT_NOT_ACCEPTED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s[i].calls, 1);
		assert_int_equal(s[i].how, SETTLED_UNKNOWN);
	}
	assert_int_equal(d.calls, 1);
	assert_false(d.is_yours);
	assert_int_equal(t.calls, 1);
	assert_int_equal(r.calls, 1);
	assert_int_equal(l.calls, 1);
	assert_int_equal(l.kind, ERR_RETRY);
	kill(f->redis, SIGCONT);
	redis_close(f->store);
	f->store = NULL;
	assert_int_equal(a.calls + b.calls + c.calls + t.calls + r.calls + l.calls, 6);
	job_free(j);
	free(mail);
}

UNIT_TESTS(READY(a_message_goes_from_accept_to_delivered),
	   READY(a_deferred_message_has_the_time_of_its_next_attempt),
	   READY(results_for_jobs_of_another_lease_change_nothing),
	   READY(a_message_of_another_project_is_not_found),
	   READY(recipients_are_grouped_by_destination),
	   READY(a_scheduled_message_waits_and_a_test_one_goes_to_the_sink),
	   READY(a_job_that_is_given_back_is_taken_again),
	   READY(a_job_that_is_given_back_to_another_site_takes_its_turn_there),
	   READY(a_dead_owner_loses_its_jobs_to_the_next), READY(work_wakes_those_who_listen),
	   READY(the_same_key_is_replayed_and_another_body_is_a_conflict),
	   READY(the_same_key_twice_in_one_batch_is_accepted_once),
	   READY(a_clock_that_was_set_refuses_for_a_moment_only),
	   READY(the_same_id_again_is_the_same_message),
	   READY(large_contents_come_back_byte_for_byte),
	   READY(a_lost_chunk_is_an_error_and_no_mail),
	   READY(a_message_that_cannot_be_stored_is_not_accepted),
	   READY(a_message_that_the_script_refuses_is_not_accepted_and_affects_no_other),
	   FOUR(messages_of_all_partitions_are_taken_and_settled),
	   FOUR(a_key_always_leads_to_the_same_partition_and_all_are_used),
	   BARE(reading_partitions_before_the_store_replies_does_not_fix_their_number),
	   READY(during_an_outage_nothing_is_accepted),
	   READY(a_killed_redis_loses_nothing_and_every_call_ends_once),
	   READY(results_and_leases_survive_the_death_of_redis),
	   READY(flushed_scripts_are_loaded_again), READY(a_full_redis_accepts_nothing_but_settles),
	   READY(all_calls_end_when_the_process_ends))
