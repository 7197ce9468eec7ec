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
	int64_t received_ms, next, dropped;
	struct err why;
};

static void on_listed(const struct inbox_page *page, const struct err *why, void *arg)
{
	const struct inbox_mail *mails = page ? page->mails : NULL;
	struct listed *l = arg;

	l->calls++;
	l->n = page ? page->n : 0;
	l->next = page ? page->next : 0;
	l->dropped = page ? page->dropped : 0;
	l->why = why ? *why : (struct err){0};
	if (l->n == 0)
		return;
	snprintf(l->first, sizeof(l->first), "%s", mails[0].mail);
	snprintf(l->last, sizeof(l->last), "%s", mails[l->n - 1].mail);
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

struct stored {
	int calls;
	bool is_kept;
	struct err why;
};

static void on_put(bool is_kept, const struct err *why, void *arg)
{
	struct stored *s = arg;

	s->calls++;
	s->is_kept = is_kept;
	s->why = why ? *why : (struct err){0};
}

static struct stored put_all(struct fixture *f, const char *message, char *const *recipients,
			     size_t n_recipients, const char *mail, size_t len)
{
	const struct inbox_put put = {.project = PROJECT,
				      .message = message,
				      .sender = "shop@example.test",
				      .received_ms = 1700000000123,
				      .mail = mail,
				      .mail_len = len,
				      .recipients = recipients,
				      .n_recipients = n_recipients};
	struct stored s = {0};

	inbox_put(f->store, &put, on_put, &s);
	wait_call(f, &s.calls);
	assert_int_equal(s.why.kind, ERR_NONE);
	return s;
}

static void put_bytes(struct fixture *f, const char *recipient, const char *mail, size_t len)
{
	char address[64];

	snprintf(address, sizeof(address), "%s", recipient);
	put_all(f, id_make("msg", 0).text, (char *[]){address}, 1, mail, len);
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
			query(f, &(struct inbox_query){PROJECT, i ? NULL : ANN, 10, at_ms, 0}).n,
			1);
	assert_int_equal(query(f, &(struct inbox_query){PROJECT, ANN, 10, at_ms + 1, 0}).n, 0);
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
	assert_int_equal(redis_do(f, "EXISTS pn:{p0}:in_mail:1"), 0);
	assert_int_equal(redis_do(f, "EXISTS pn:{p0}:in_entry:1"), 0);
	assert_int_equal(redis_do(f, "EVAL %s 0", "return #redis.call('KEYS', '*:in_c:*')"), 0);
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
	assert_int_equal(redis_do(f, "ZCARD pn:{p0}:in_order:1:" ANN), 100);
	assert_string_equal(list(f, PROJECT, ANN, 200).last, "mail 5\r\n");
	assert_in_range(redis_do(f, "TTL pn:{p0}:in_order:1:" ANN), 86000, 86400);
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
	put(f, ANN, "another\r\n");
	put(f, ANN, "a third\r\n");
	put(f, ANN, "without its content\r\n");
	redis_do(f, "HSET pn:{p0}:in_entry:1 2 nonsense");
	redis_do(f, "HSET pn:{p0}:in_entry:1 3 %b", "1 msg_1\na\n{", (size_t)11);
	redis_do(f, "EVAL %s 0",
		 "redis.call('DEL', 'pn:{p0}:in_c:1:' .. redis.call('HGET', "
		 "'pn:{p0}:in_entry:1', '4'):match('(msg_%w+)') .. ':0')");
	l = list(f, PROJECT, ANN, 10);
	assert_int_equal(l.why.kind, ERR_NONE);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.first, "good\r\n");
}

static void on_every_octet(const struct inbox_page *page, const struct err *why, void *arg)
{
	int *calls = arg;

	(*calls)++;
	assert_null(why);
	assert_int_equal(page->n, 1);
	assert_int_equal(page->mails[0].mail_len, 256);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal((unsigned char)page->mails[0].mail[i], i);
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
	struct stored s = {0};
	char recipient[] = ANN;
	const struct inbox_put m = {.project = PROJECT,
				    .message = "msg_1",
				    .sender = "x",
				    .mail = "y",
				    .mail_len = 1,
				    .recipients = (char *[]){recipient},
				    .n_recipients = 1};

	inbox_wait(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10}, 10000,
		   on_listed, &waits);
	run_for(f, 50);
	kill(f->redis, SIGSTOP);
	inbox_list(f->store,
		   &(struct inbox_query){.project = PROJECT, .recipient = ANN, .limit = 10},
		   on_listed, &lists);
	inbox_put(f->store, &m, on_put, &s);
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

/* Octets that do not compress. */
static char *make_noise(size_t len)
{
	char *noise = malloc(len);
	uint64_t x = 88172645463325252u;

	assert_non_null(noise);
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (char)x;
	}
	return noise;
}

static void the_content_is_kept_once_for_all_recipients_and_jobs_of_a_message(void **state)
{
	static const size_t sizes[] = {500, 300 << 10};
	struct fixture *f = *state;
	char addresses[250][32], *recipients[250];
	char *noise = make_noise(sizes[1]);
	long long before;

	for (size_t i = 0; i < 250; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "r%zu@example.test", i);
		recipients[i] = addresses[i];
	}
	for (size_t i = 0; i < 2; i++) {
		struct id message = id_make("msg", 0);

		before = redis_do(f, "DBSIZE");
		put_all(f, message.text, recipients, 200, noise, sizes[i]);
		put_all(f, message.text, recipients + 200, 50, noise, sizes[i]);
		assert_int_equal(redis_do(f, "EVAL %s 0", "return #redis.call('KEYS', '*:in_c:*')"),
				 i ? 5 : 1);
		assert_int_equal(list(f, PROJECT, recipients[0], 10).first_len, sizes[i]);
		assert_int_equal(list(f, PROJECT, recipients[249], 10).first_len, sizes[i]);
		assert_true(redis_do(f, "DBSIZE") > before);
		delete_mails(f, NULL);
		assert_int_equal(redis_do(f, "EVAL %s 0", "return #redis.call('KEYS', '*:in_c:*')"),
				 0);
		assert_int_equal(list(f, PROJECT, NULL, 10).n, 0);
	}
	free(noise);
}

static void beyond_the_limit_of_a_project_the_oldest_mails_go(void **state)
{
	struct fixture *f = *state;
	char *noise = make_noise(300 << 10), recipient[32];
	struct listed l;

	f->config.test_inbox_bytes = 4 << 20;
	for (int i = 0; i < 20; i++) {
		snprintf(recipient, sizeof(recipient), "r%d@example.test", i);
		noise[0] = (char)i;
		put_bytes(f, recipient, noise, 300 << 10);
	}
	l = list(f, PROJECT, NULL, 100);
	assert_int_equal(l.n, 13);
	assert_int_equal(l.dropped, 7);
	assert_int_equal(l.first[0], 19);
	assert_int_equal(l.last[0], 7);
	assert_int_equal(list(f, PROJECT, "r6@example.test", 10).n, 0);
	assert_int_equal(list(f, PROJECT, "r7@example.test", 10).n, 1);
	assert_int_equal(redis_do(f, "EVAL %s 0", "return #redis.call('KEYS', '*:in_c:*')"),
			 13 * 5);
	free(noise);
}

static void a_page_has_at_most_4_mb_and_the_next_one_follows(void **state)
{
	struct fixture *f = *state;
	size_t len = (size_t)1 << 20;
	char *mail = calloc(1, len);
	int64_t before = 0;

	assert_non_null(mail);
	for (char i = 1; i <= 10; i++) {
		mail[0] = i;
		put_bytes(f, ANN, mail, len);
	}
	for (int page = 0; page < 3; page++) {
		struct listed l = query(f, &(struct inbox_query){.project = PROJECT,
								 .recipient = page % 2 ? NULL : ANN,
								 .limit = 100,
								 .before = before});

		assert_int_equal(l.n, page < 2 ? 4 : 2);
		assert_int_equal(l.first[0], 10 - 4 * page);
		before = l.next;
		assert_true(page < 2 ? before > 0 : before == 0);
	}
	free(mail);
}

static bool knows_limit(struct fixture *f, void *arg)
{
	return redis_memory_max(f->store) == *(int64_t *)arg;
}

static bool knows_ballast(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_memory_used(f->store) > 30000000;
}

/* 70 % is where no mail is kept; 80 % is where live mail is refused. */
static void when_redis_is_nearly_full_no_mail_is_kept_and_the_others_go(void **state)
{
	struct fixture *f = *state;
	char ann[] = ANN, *recipients[] = {ann};
	int64_t limit;
	struct listed l;

	put(f, ANN, "one\r\n");
	redis_do(f, "SETRANGE ballast 30000000 x"); /* so that the rest does not matter */
	assert_true(becomes(f, knows_ballast, NULL));
	limit = redis_info(f, "memory", "used_memory:") * 4 / 3;
	redis_do(f, "CONFIG SET maxmemory %lld", (long long)limit);
	assert_true(becomes(f, knows_limit, &limit));
	assert_true(redis_is_ready(f->store, NULL));
	assert_false(put_all(f, "msg_2", recipients, 1, "two\r\n", 5).is_kept);
	l = list(f, PROJECT, NULL, 10);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.dropped, 2);
	limit *= 10;
	redis_do(f, "CONFIG SET maxmemory %lld", (long long)limit);
	assert_true(becomes(f, knows_limit, &limit));
	put(f, ANN, "three\r\n");
	assert_int_equal(list(f, PROJECT, NULL, 10).n, 1);
}

static void many_pages_are_read_one_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct listed lists[40] = {0};
	char *noise = make_noise(300 << 10);

	put_bytes(f, ANN, noise, 300 << 10);
	for (int i = 0; i < 40; i++)
		inbox_list(f->store, &(struct inbox_query){.project = PROJECT, .limit = 10},
			   on_listed, &lists[i]);
	for (int i = 0; i < 40; i++) {
		assert_true(becomes(f, was_called, &lists[i].calls));
		assert_int_equal(lists[i].n, 1);
		assert_int_equal(lists[i].first_len, 300 << 10);
	}
	for (int i = 0; i < 40; i++) {
		lists[i].calls = 0;
		inbox_list(f->store, &(struct inbox_query){.project = PROJECT, .limit = 10},
			   on_listed, &lists[i]);
	}
	run_for(f, 3);
	redis_abandon(f->store);
	for (int i = 0; i < 40; i++)
		assert_int_equal(lists[i].calls, 1);
	free(noise);
}

UNIT_TESTS(READY(mails_are_listed_newest_first),
	   READY(letter_case_does_not_matter_and_all_recipients_have_one_list),
	   READY(mails_before_a_given_time_are_left_out),
	   READY(the_mails_of_one_or_of_all_are_deleted),
	   READY(a_request_that_waits_for_all_recipients_is_woken_by_any_mail),
	   READY(a_hundred_mails_an_address_are_kept_for_a_day),
	   READY(a_large_mail_is_cut_at_a_megabyte), READY(an_unreadable_entry_is_skipped),
	   READY(the_content_is_kept_once_for_all_recipients_and_jobs_of_a_message),
	   READY(beyond_the_limit_of_a_project_the_oldest_mails_go),
	   READY(a_page_has_at_most_4_mb_and_the_next_one_follows),
	   READY(when_redis_is_nearly_full_no_mail_is_kept_and_the_others_go),
	   READY(many_pages_are_read_one_after_the_other), READY(every_octet_of_a_mail_comes_back),
	   READY(a_waiting_request_is_woken_by_the_mail),
	   READY(a_publication_wakes_sooner_than_the_poll),
	   READY(a_request_that_finds_a_mail_does_not_wait),
	   READY(waiting_ends_when_its_time_is_up), READY(later_requests_do_not_prolong_the_wait),
	   READY(waiting_outlives_a_redis_that_is_restarted),
	   READY(waiting_requests_fail_when_the_process_ends),
	   READY(requests_beyond_a_thousand_waiting_ones_do_not_wait))
