/* Attempts in the store: lines and transcripts are kept, cut, shown to their project alone, and go
 * with the message. */
#include "tests/unit/store/store_fixture.h"

#include "server/base/buf.h"
#include "server/base/metrics.h"
#include "server/store/messages/transcripts.h"
#include "server/store/messages/content.h"
#include "server/redis/link/script.h"

#define LINE "a 1795421700123 96 n1c2m3 mx.test 192.0.2.1 25 192.0.2.9 -\n"

/* ---- asked and awaited ---- */

static struct {
	struct job *job;
	int calls;
} taken;

static void on_taken(const struct take_result *t, void *arg)
{
	(void)arg;
	taken.calls++;
	assert_non_null(t);
	assert_int_equal(t->n_jobs, 1);
	taken.job = t->jobs[0];
}

static struct job *take(struct fixture *f)
{
	struct take_site ours = {.site = "example.test", .want = 10, .grow = 10};
	struct take_request ask = {
		.max_jobs = 10, .free_connections = 10, .sites = &ours, .n_sites = 1};

	taken.calls = 0;
	take_jobs(f->store, OWNER, 0, &ask, on_taken, NULL);
	assert_true(becomes(f, was_called, &taken.calls));
	return taken.job;
}

static bool nothing_is_on_its_way(struct fixture *f, void *arg)
{
	(void)arg;
	return transcripts_unanswered(f->store) == 0;
}

static void keep(struct fixture *f, const char *ref, int64_t epoch, const char *text, size_t len)
{
	struct buf packed = {0};
	struct err e;

	assert_int_equal(transcripts_pack(text, len, &packed, &e), 0);
	assert_true(packed.len <= ATTEMPTS_PACKED_MAX);
	transcripts_keep(f->store, ref, epoch, packed.data, packed.len);
	buf_deinit(&packed);
	assert_true(becomes(f, nothing_is_on_its_way, NULL));
}

struct seen {
	int calls;
	bool is_found;
	enum err_kind kind;
	size_t n, n_transcripts;
	struct {
		unsigned number;
		bool is_known, has_transcript;
		int64_t epoch;
		size_t n_events, first_event;
		char host[32], transcript[64];
	} list[32];
};

static void on_attempts(const struct record *record, const struct transcripts_one *attempts,
			size_t n, const struct err *why, void *arg)
{
	struct seen *s = arg;

	s->calls++;
	s->is_found = record;
	s->kind = why ? why->kind : ERR_NONE;
	s->n = n;
	for (size_t i = 0; i < n && i < 32; i++) {
		s->list[i].number = attempts[i].number;
		s->list[i].epoch = attempts[i].in_record->epoch;
		s->list[i].n_events = attempts[i].in_record->n_events;
		s->list[i].first_event = attempts[i].in_record->first_event;
		s->list[i].is_known = attempts[i].is_known;
		s->list[i].has_transcript = attempts[i].transcript;
		s->n_transcripts += attempts[i].transcript != NULL;
		if (attempts[i].is_known)
			snprintf(s->list[i].host, sizeof(s->list[i].host), "%s",
				 attempts[i].facts.host);
		snprintf(s->list[i].transcript, sizeof(s->list[i].transcript), "%.*s",
			 (int)attempts[i].transcript_len,
			 attempts[i].transcript ? attempts[i].transcript : "");
	}
}

static struct seen look(struct fixture *f, const char *project, const char *id)
{
	struct seen s = {0};

	transcripts_get(f->store, project, id, on_attempts, &s);
	wait_call(f, &s.calls);
	return s;
}

/* ---- tests ---- */

static void an_attempt_is_shown_with_its_results_and_its_transcript(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct seen s = look(f, PROJECT, a.id);
	struct job *j = take(f);

	assert_true(s.is_found);
	assert_int_equal(s.n, 0);
	assert_int_equal(settle_retry(f, j->ref, j->epoch, 0, LINE "0 bounced 550 - no\n"),
			 SETTLED_APPLIED);
	keep(f, j->ref, j->epoch, "0 S: 550 no\n", 12);
	assert_int_equal(settle_retry(f, j->ref, j->epoch, 0, LINE "0 bounced 550 - no\n"),
			 SETTLED_BEFORE);
	keep(f, j->ref, j->epoch, "0 S: 550 no\n", 12); /* run again */
	assert_int_equal(redis_do(f, "LLEN pn:{p0}:t:%s", a.id), 1);
	s = look(f, PROJECT, a.id);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.list[0].number, 1);
	assert_int_equal(s.list[0].epoch, j->epoch);
	assert_true(s.list[0].is_known);
	assert_string_equal(s.list[0].host, "mx.test");
	assert_int_equal(s.list[0].n_events, 1);
	assert_int_equal(s.list[0].first_event, 1);
	assert_string_equal(s.list[0].transcript, "0 S: 550 no\n");
	job_free(j);
}

static void another_project_sees_no_attempts(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct job *j = take(f);
	struct seen s;

	assert_int_equal(settle_retry(f, j->ref, j->epoch, 0, LINE "0 bounced 550 - no\n"),
			 SETTLED_APPLIED);
	keep(f, j->ref, j->epoch, "0 S: 550 no\n", 12);
	s = look(f, "2", a.id);
	assert_false(s.is_found);
	assert_int_equal(s.kind, ERR_NOT_FOUND);
	assert_int_equal(s.n, 0);
	s = look(f, PROJECT, id_make("msg", 0).text);
	assert_false(s.is_found);
	assert_int_equal(s.kind, ERR_NOT_FOUND);
	job_free(j);
}

static void a_line_that_is_none_is_shown_without_facts(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct job *j = take(f);
	struct seen s;

	assert_int_equal(settle_retry(f, j->ref, j->epoch, 0,
				      "a of a later version\n0 delivered 250 - ok\n"),
			 SETTLED_APPLIED);
	s = look(f, PROJECT, a.id);
	assert_int_equal(s.n, 1);
	assert_false(s.list[0].is_known);
	assert_false(s.list[0].has_transcript);
	job_free(j);
}

static void the_last_twenty_of_both_are_kept_and_counted_on(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct seen s;
	char text[64];

	for (int i = 1; i <= 25; i++) {
		struct job *j;

		if (i > 1)
			redis_do(f, "FCALL %s 1 pn:{p0}: 10", script_function(SCRIPT_PROMOTE));
		j = take(f);
		assert_int_equal(
			settle_retry(f, j->ref, j->epoch, 0, LINE "0 deferred 451 - later\n"),
			SETTLED_APPLIED);
		snprintf(text, sizeof(text), "%d S: 451 later\n", i);
		keep(f, j->ref, j->epoch, text, strlen(text));
		job_free(j);
	}
	s = look(f, PROJECT, a.id);
	assert_int_equal(s.n, 20);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u S: 451 later\n", i + 6);
		assert_int_equal(s.list[i].number, i + 6);
		assert_int_equal(s.list[i].first_event, i + 6);
		assert_string_equal(s.list[i].transcript, text);
	}
}

static void a_transcript_lives_as_long_as_its_message_may(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct job *j = take(f);
	int64_t within = 3600000 + f->config.retention_s * 1000;

	keep(f, j->ref, j->epoch, "x\n", 2);
	assert_in_range(redis_do(f, "PTTL pn:{p0}:t:%s", a.id), within, within + 7200000);
	redis_do(f, "DEL pn:{p0}:m:%s pn:{p0}:t:%s", a.id, a.id);
	keep(f, j->ref, j->epoch, "x\n", 2);
	assert_int_equal(redis_do(f, "EXISTS pn:{p0}:t:%s", a.id), 0);
	job_free(j);
}

static void a_full_store_takes_results_but_no_transcripts(void **state)
{
	struct fixture *f = *state;
	struct accepted a = accept_plain(f);
	struct job *j = take(f);
	int64_t before = metric_sum(METRIC_TRANSCRIPTS_DROPPED);
	struct seen s;

	redis_do(f, "CONFIG SET maxmemory 1");
	assert_int_equal(settle_retry(f, j->ref, j->epoch, 0, LINE "0 deferred 451 - later\n"),
			 SETTLED_APPLIED);
	keep(f, j->ref, j->epoch, "x\n", 2);
	assert_int_equal(metric_sum(METRIC_TRANSCRIPTS_DROPPED), before + 1);
	for (int i = 0; i < 600; i++)
		transcripts_keep(f->store, j->ref, j->epoch, "rx\n", 3);
	assert_int_equal(transcripts_unanswered(f->store), 512);
	assert_true(becomes(f, nothing_is_on_its_way, NULL));
	assert_int_equal(metric_sum(METRIC_TRANSCRIPTS_DROPPED), before + 601);
	redis_do(f, "CONFIG SET maxmemory 0");
	s = look(f, PROJECT, a.id);
	assert_int_equal(s.n, 1);
	assert_false(s.list[0].has_transcript);
	job_free(j);
}

static void a_transcript_that_cannot_be_packed_is_cut_in_its_middle(void **state)
{
	static const size_t lens[] = {0, 1, 1000, 30000, 65535, 65536, 300000};
	char *text = malloc(300001);
	unsigned seed = 7;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 300000; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = i % 80 == 79 ? '\n' : (char)(' ' + (seed >> 16) % 95);
	}
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct buf packed = {0}, back = {0};
		struct err e;

		assert_int_equal(transcripts_pack(text, lens[i], &packed, &e), 0);
		assert_true(packed.len <= ATTEMPTS_PACKED_MAX);
		assert_int_equal(
			content_unpack(packed.data, packed.len, ATTEMPTS_TEXT_MAX, &back, &e), 0);
		if (lens[i] <= 1000) {
			assert_int_equal(back.len, lens[i]);
			assert_memory_equal(buf_text(&back), text, lens[i]);
		} else {
			assert_memory_equal(back.data, text, 80);
			assert_memory_equal(back.data + back.len - 40, text + lens[i] - 40, 40);
			assert_non_null(strstr(back.data, " octets are omitted here\n"));
		}
		buf_deinit(&packed);
		buf_deinit(&back);
	}
	free(text);
}

static int make_metrics(void **state)
{
	(void)state;
	metrics_init();
	metrics_use_slot(0);
	return 0;
}

UNIT_TESTS_IN(make_metrics, NULL, READY(an_attempt_is_shown_with_its_results_and_its_transcript),
	      READY(another_project_sees_no_attempts),
	      READY(a_line_that_is_none_is_shown_without_facts),
	      READY(the_last_twenty_of_both_are_kept_and_counted_on),
	      READY(a_transcript_lives_as_long_as_its_message_may),
	      READY(a_full_store_takes_results_but_no_transcripts),
	      cmocka_unit_test(a_transcript_that_cannot_be_packed_is_cut_in_its_middle))
