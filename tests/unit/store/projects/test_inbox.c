/* The test inbox against a real Redis: what is put in is listed, newest first, and awaited. */
#include "tests/unit/store/store_fixture.h"

#include "server/base/log.h"
#include "server/store/projects/inbox.h"

#define ANN "ann@example.test"

struct listed {
	int calls;
	size_t n;
	char first[200], last[200], sender[64], message[31];
	size_t first_len;
	int64_t received_ms;
	struct err why;
};

static void on_listed(const struct inbox_mail *mails, size_t n, const struct err *why, void *arg)
{
	struct listed *l = arg;

	l->calls++;
	l->n = n;
	l->why = why ? *why : (struct err){0};
	if (n == 0)
		return;
	snprintf(l->first, sizeof(l->first), "%s", mails[0].mail);
	snprintf(l->last, sizeof(l->last), "%s", mails[n - 1].mail);
	snprintf(l->sender, sizeof(l->sender), "%s", mails[0].sender);
	snprintf(l->message, sizeof(l->message), "%s", mails[0].message);
	l->first_len = mails[0].mail_len;
	l->received_ms = mails[0].received_ms;
}

static struct listed list(struct fixture *f, const char *project, const char *recipient,
			  size_t limit)
{
	struct listed l = {0};

	inbox_list(
		f->store,
		&(struct inbox_query){.project = project, .recipient = recipient, .limit = limit},
		on_listed, &l);
	wait_call(f, &l.calls);
	return l;
}

static void put_bytes(struct fixture *f, const char *recipient, const char *mail, size_t len)
{
	struct inbox_mail m = {.recipient = recipient,
			       .sender = "shop@example.test",
			       .received_ms = 1700000000123,
			       .mail = mail,
			       .mail_len = len};
	struct finished s = {0};

	memcpy(m.message, id_make("msg", 0).text, sizeof(m.message));
	inbox_put(f->store, PROJECT, &m, on_finished, &s);
	wait_call(f, &s.calls);
	assert_int_equal(s.why.kind, ERR_NONE);
}

static void put(struct fixture *f, const char *recipient, const char *mail)
{
	put_bytes(f, recipient, mail, strlen(mail));
}

static void mails_are_listed_newest_first(void **state)
{
	struct fixture *f = *state;
	struct listed l;

	assert_int_equal(list(f, PROJECT, ANN, 10).n, 0);
	put(f, ANN, "one\r\n");
	put(f, ANN, "two \"\\ \xc3\xbc\r\n");
	put(f, ANN, "three\r\n");
	l = list(f, PROJECT, ANN, 10);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.first, "three\r\n");
	assert_string_equal(l.last, "one\r\n");
	assert_string_equal(l.sender, "shop@example.test");
	assert_int_equal(l.received_ms, 1700000000123);
	assert_true(id_valid("msg", l.message));
	l = list(f, PROJECT, ANN, 2);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.last, "two \"\\ \xc3\xbc\r\n");
	assert_int_equal(list(f, "2", ANN, 10).n, 0);
	assert_int_equal(list(f, PROJECT, "bob@example.test", 10).n, 0);
}

static struct listed query(struct fixture *f, const struct inbox_query *q)
{
	struct listed l = {0};

	inbox_list(f->store, q, on_listed, &l);
	assert_true(becomes(f, was_called, &l.calls));
	return l;
}

static void letter_case_does_not_matter_and_all_recipients_have_one_list(void **state)
{
	struct fixture *f = *state;

	put(f, "Ann@Example.test", "one\r\n");
	put(f, "bob@example.test", "two\r\n");
	assert_int_equal(list(f, PROJECT, ANN, 10).n, 1);
	assert_int_equal(list(f, PROJECT, "ANN@example.TEST", 10).n, 1);
	assert_int_equal(list(f, PROJECT, NULL, 10).n, 2);
	assert_string_equal(list(f, PROJECT, NULL, 10).first, "two\r\n");
	assert_int_equal(list(f, "2", NULL, 10).n, 0);
}

static void mails_before_a_given_time_are_left_out(void **state)
{
	struct fixture *f = *state;
	const int64_t at_ms = 1700000000123; /* as put() says */

	put(f, ANN, "one\r\n");
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			query(f, &(struct inbox_query){PROJECT, i ? NULL : ANN, 10, at_ms}).n, 1);
	assert_int_equal(query(f, &(struct inbox_query){PROJECT, ANN, 10, at_ms + 1}).n, 0);
}

static void delete_mails(struct fixture *f, const char *recipient)
{
	struct finished s = {0};

	inbox_delete(f->store, PROJECT, recipient, on_finished, &s);
	assert_true(becomes(f, was_called, &s.calls));
	assert_int_equal(s.why.kind, ERR_NONE);
}

static void the_mails_of_one_or_of_all_are_deleted(void **state)
{
	struct fixture *f = *state;

	put(f, ANN, "one\r\n");
	put(f, "bob@example.test", "two\r\n");
	put(f, "cy@example.test", "three\r\n");
	delete_mails(f, "Ann@example.test");
	assert_int_equal(list(f, PROJECT, ANN, 10).n, 0);
	assert_int_equal(list(f, PROJECT, NULL, 10).n, 2);
	delete_mails(f, NULL);
	assert_int_equal(list(f, PROJECT, NULL, 10).n, 0);
	assert_int_equal(list(f, PROJECT, "bob@example.test", 10).n, 0);
	assert_int_equal(redis_do(f, "EXISTS pn:{p0}:in_of:1"), 0);
}

static void a_request_that_waits_for_all_recipients_is_woken_by_any_mail(void **state)
{
	struct fixture *f = *state;
	struct listed all = {0};

	inbox_wait(f->store, &(struct inbox_query){.project = PROJECT, .limit = 10}, 10000,
		   on_listed, &all);
	run_for(f, 600); /* the subscription */
	assert_int_equal(all.calls, 0);
	put(f, "bob@example.test", "two\r\n");
	assert_true(becomes(f, was_called, &all.calls));
	assert_int_equal(all.n, 1);
}

static void a_hundred_mails_an_address_are_kept_for_a_day(void **state)
{
	struct fixture *f = *state;
	char text[32];

	for (int i = 0; i < 105; i++) {
		snprintf(text, sizeof(text), "mail %d\r\n", i);
		put(f, ANN, text);
	}
	assert_int_equal(redis_do(f, "LLEN pn:{p0}:in:1:" ANN), 100);
	assert_string_equal(list(f, PROJECT, ANN, 200).last, "mail 5\r\n");
	assert_in_range(redis_do(f, "TTL pn:{p0}:in:1:" ANN), 86000, 86400);
}

static void a_large_mail_is_cut_at_a_megabyte(void **state)
{
	struct fixture *f = *state;
	size_t len = (size_t)3 << 19;
	char *mail = malloc(len);

	assert_non_null(mail);
	memset(mail, 'x', len);
	put_bytes(f, ANN, mail, len);
	assert_int_equal(list(f, PROJECT, ANN, 1).first_len, 1 << 20);
	free(mail);
}

static void an_unreadable_entry_is_skipped(void **state)
{
	struct fixture *f = *state;
	struct listed l;

	put(f, ANN, "good\r\n");
	redis_do(f, "LPUSH pn:{p0}:in:1:" ANN " nonsense");
	redis_do(f, "LPUSH pn:{p0}:in:1:" ANN " {\"mail\":\"x\"}");
	redis_do(f, "LPUSH pn:{p0}:in:1:" ANN " %b", "{\nmail", (size_t)6);
	l = list(f, PROJECT, ANN, 10);
	assert_int_equal(l.why.kind, ERR_NONE);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.first, "good\r\n");
}

static void on_every_octet(const struct inbox_mail *mails, size_t n, const struct err *why,
			   void *arg)
{
	int *calls = arg;

	(*calls)++;
	assert_null(why);
	assert_int_equal(n, 1);
	assert_int_equal(mails[0].mail_len, 256);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal((unsigned char)mails[0].mail[i], i);
}

static void every_octet_of_a_mail_comes_back(void **state)
{
	struct fixture *f = *state;
	char mail[256];
	int calls = 0;

	for (size_t i = 0; i < sizeof(mail); i++)
		mail[i] = (char)i;
	put_bytes(f, ANN, mail, sizeof(mail));
	inbox_list(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10},
		   on_every_octet, &calls);
	assert_true(becomes(f, was_called, &calls));
}

static void a_waiting_request_is_woken_by_the_mail(void **state)
{
	struct fixture *f = *state;
	struct listed ann = {0}, bob = {0};
	int64_t began;

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 10000,
		   on_listed, &ann);
	inbox_wait(f->store,
		   &(struct inbox_query){
			   .project = PROJECT, .recipient = "bob@example.test", .limit = 10},
		   10000, on_listed, &bob);
	assert_int_equal(ann.calls, 0);
	run_for(f, 600); /* the subscription */
	assert_int_equal(ann.calls, 0);
	began = clock_mono_ms();
	put(f, ANN, "now\r\n");
	assert_true(becomes(f, was_called, &ann.calls));
	print_message("woken after %d ms\n", (int)(clock_mono_ms() - began));
	assert_int_equal(ann.n, 1);
	assert_string_equal(ann.first, "now\r\n");
	assert_int_equal(bob.calls, 0);
	put(f, "bob@example.test", "then\r\n");
	assert_true(becomes(f, was_called, &bob.calls));
	assert_int_equal(ann.calls, 1);
}

/* The polls are a second apart; the mean of many wake-ups by publication is far below. */
static void a_publication_wakes_sooner_than_the_poll(void **state)
{
	struct fixture *f = *state;
	struct listed first = {0};
	int64_t spent = 0;

	inbox_wait(f->store,
		   &(struct inbox_query){
			   .project = PROJECT, .recipient = "subscribe@example.test", .limit = 1},
		   300, on_listed, &first);
	assert_true(becomes(f, was_called, &first.calls));
	for (int i = 0; i < 8; i++) {
		struct listed l = {0};
		char recipient[32];
		int64_t began;

		snprintf(recipient, sizeof(recipient), "r%d@example.test", i);
		inbox_wait(f->store,
			   &(struct inbox_query){
				   .project = PROJECT, .recipient = recipient, .limit = 1},
			   10000, on_listed, &l);
		run_for(f, 20);
		assert_int_equal(l.calls, 0);
		began = clock_mono_ms();
		put(f, recipient, "x\r\n");
		assert_true(becomes(f, was_called, &l.calls));
		spent += clock_mono_ms() - began;
	}
	assert_in_range(spent, 0, 8 * 300);
}

static void a_request_that_finds_a_mail_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct listed l = {0};

	put(f, ANN, "here\r\n");
	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 10000,
		   on_listed, &l);
	assert_true(becomes_within(f, was_called, &l.calls, 500));
	assert_int_equal(l.n, 1);
}

static void waiting_ends_when_its_time_is_up(void **state)
{
	struct fixture *f = *state;
	struct listed l = {0}, none = {0};
	int64_t began = clock_mono_ms();

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 300,
		   on_listed, &l);
	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 0,
		   on_listed, &none);
	assert_true(becomes(f, was_called, &none.calls));
	wait_call(f, &l.calls);
	assert_in_range(clock_mono_ms() - began, 295, 900);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.why.kind, ERR_NONE);
}

static void later_requests_do_not_prolong_the_wait(void **state)
{
	struct fixture *f = *state;
	struct listed first = {0};
	struct listed *others = calloc(40, sizeof(*others));
	int64_t began = clock_mono_ms();

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 1500,
		   on_listed, &first);
	for (int i = 0; i < 40 && first.calls == 0; i++) {
		inbox_wait(f->store,
			   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10},
			   30000, on_listed, &others[i]);
		run_for(f, 100);
	}
	assert_int_equal(first.calls, 1);
	assert_in_range(clock_mono_ms() - began, 1490, 2500);
	redis_abandon(f->store);
	assert_int_equal(others[0].calls, 1);
	free(others);
}

static void waiting_outlives_a_redis_that_is_restarted(void **state)
{
	struct fixture *f = *state;
	struct listed l = {0};

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 15000,
		   on_listed, &l);
	run_for(f, 50);
	kill_redis(f);
	run_for(f, 200);
	start_redis(f);
	wait_ready(f);
	assert_int_equal(l.calls, 0);
	put(f, ANN, "after\r\n");
	assert_true(becomes(f, was_called, &l.calls));
	assert_string_equal(l.first, "after\r\n");
}

static void waiting_requests_fail_when_the_process_ends(void **state)
{
	struct fixture *f = *state;
	struct listed waits = {0}, lists = {0};
	struct finished s = {0};
	struct inbox_mail m = {.recipient = ANN, .sender = "x", .mail = "y", .mail_len = 1};

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 10000,
		   on_listed, &waits);
	run_for(f, 50);
	kill(f->redis, SIGSTOP);
	inbox_list(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10},
		   on_listed, &lists);
	inbox_put(f->store, PROJECT, &m, on_finished, &s);
	redis_abandon(f->store);
	assert_int_equal(waits.calls, 1);
	assert_int_equal(waits.why.kind, ERR_RETRY);
	assert_int_equal(lists.calls, 1);
	assert_int_equal(lists.why.kind, ERR_RETRY);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.why.kind, ERR_RETRY);
}

static void requests_beyond_a_thousand_waiting_ones_do_not_wait(void **state)
{
	struct fixture *f = *state;
	struct listed *all = calloc(1001, sizeof(*all));

	for (int i = 0; i < 1001; i++)
		inbox_wait(f->store,
			   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 1},
			   60000, on_listed, &all[i]);
	assert_true(becomes(f, was_called, &all[1000].calls));
	assert_int_equal(all[0].calls, 0);
	put(f, ANN, "for all\r\n");
	for (int i = 0; i < 1000; i++) {
		assert_true(becomes(f, was_called, &all[i].calls));
		assert_int_equal(all[i].n, 1);
	}
	run_for(f, 100);
	for (int i = 0; i < 1001; i++)
		assert_int_equal(all[i].calls, 1);
	free(all);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(mails_are_listed_newest_first),
		READY(letter_case_does_not_matter_and_all_recipients_have_one_list),
		READY(mails_before_a_given_time_are_left_out),
		READY(the_mails_of_one_or_of_all_are_deleted),
		READY(a_request_that_waits_for_all_recipients_is_woken_by_any_mail),
		READY(a_hundred_mails_an_address_are_kept_for_a_day),
		READY(a_large_mail_is_cut_at_a_megabyte),
		READY(an_unreadable_entry_is_skipped),
		READY(every_octet_of_a_mail_comes_back),
		READY(a_waiting_request_is_woken_by_the_mail),
		READY(a_publication_wakes_sooner_than_the_poll),
		READY(a_request_that_finds_a_mail_does_not_wait),
		READY(waiting_ends_when_its_time_is_up),
		READY(later_requests_do_not_prolong_the_wait),
		READY(waiting_outlives_a_redis_that_is_restarted),
		READY(waiting_requests_fail_when_the_process_ends),
		READY(requests_beyond_a_thousand_waiting_ones_do_not_wait),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_ERROR, LOG_FORMAT_TEXT, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
