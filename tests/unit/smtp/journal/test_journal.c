/* The journal: entries are there for the recovery, whatever is torn, full or unconfirmed. */
#include "smtp/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "tests/unit/unit.h"

#define OWNER "own_1"
#define REF "msg_00000000000000000000000000000"
#define RESULT "0 delivered 250 - ok\n"

/* The kernel's, counted. */
static atomic_int n_syncs;

int fdatasync(int fd)
{
	atomic_fetch_add(&n_syncs, 1);
	return (int)syscall(SYS_fdatasync, fd);
}

struct bench {
	char dir[64], path[128];
	struct loop *loop;
	struct journal *journal;
};

static void open_journal(struct bench *b)
{
	struct err e = {0};

	if (journal_open(&b->journal, b->loop, b->dir, OWNER, &e) < 0)
		fail_msg("%s", e.text);
}

static void close_journal(struct bench *b)
{
	journal_close(b->journal, false);
	b->journal = NULL;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	signal(SIGXFSZ, SIG_IGN);
	log_init(LOG_ERROR, LOG_FORMAT_TEXT, "test");
	*state = b;
	atomic_store(&n_syncs, 0);
	snprintf(b->dir, sizeof(b->dir), "/tmp/postern-unit-XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->path, sizeof(b->path), "%s/journal/" OWNER, b->dir);
	b->loop = loop_new();
	return b->loop ? 0 : -1;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char path[160];

	journal_close(b->journal, false);
	journal_close(NULL, false);
	loop_free(b->loop);
	journal_remove(b->dir, OWNER);
	snprintf(path, sizeof(path), "%s.new", b->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s.damaged", b->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/journal", b->dir);
	rmdir(path);
	rmdir(b->dir);
	free(b);
	return 0;
}

static long size_of(const struct bench *b)
{
	struct stat st;

	return stat(b->path, &st) < 0 ? -1 : (long)st.st_size;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct bench *b, int64_t ms)
{
	struct loop_timer t = {0};

	assert_int_equal(loop_timer_init(&t, b->loop, stop, b->loop), 0);
	loop_timer_set(&t, ms);
	loop_run(b->loop);
	loop_timer_deinit(&t);
}

struct heard {
	int n;
	int64_t epochs[64];
	char ref[40], results[512];
	int64_t retry_ms;
};

static void on_entry(const struct journal_entry *entry, void *arg)
{
	struct heard *h = arg;

	if (h->n < 64)
		h->epochs[h->n] = entry->epoch;
	h->n++;
	snprintf(h->ref, sizeof(h->ref), "%s", entry->ref);
	snprintf(h->results, sizeof(h->results), "%s", entry->results);
	h->retry_ms = entry->retry_ms;
}

static struct heard read_journal(const struct bench *b)
{
	struct heard h = {0};
	struct err e = {0};

	if (journal_read(b->dir, OWNER, on_entry, &h, &e) < 0)
		fail_msg("%s", e.text);
	return h;
}

static void write_file(const struct bench *b, const char *bytes, size_t len)
{
	FILE *f = fopen(b->path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void a_recovery_reads_the_unconfirmed_entries(void **state)
{
	struct bench *b = *state;
	struct heard h;

	open_journal(b);
	assert_true(journal_add(b->journal, REF, 7, 300000, RESULT "2 bounced 550 - no\n") > 0);
	assert_int_equal(journal_n_open(b->journal), 1);
	close_journal(b);
	h = read_journal(b);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.ref, REF);
	assert_int_equal(h.epochs[0], 7);
	assert_int_equal(h.retry_ms, 300000);
	assert_string_equal(h.results, RESULT "2 bounced 550 - no\n");
	assert_int_equal(read_journal(b).n, 1); /* it stays until it is removed */
	journal_remove(b->dir, OWNER);
	assert_int_equal(size_of(b), -1);
}

static void entries_are_in_the_file_before_add_returns(void **state)
{
	struct bench *b = *state;
	char text[256] = "";
	FILE *f;

	open_journal(b);
	assert_true(journal_add(b->journal, REF, 7, 5, RESULT) > 0);
	f = fopen(b->path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, REF " 7 5 21\n" RESULT "\n");
}

static void a_journal_has_one_owner_at_a_time(void **state)
{
	struct bench *b = *state;
	struct journal *second = NULL;
	struct heard h = {0};
	struct err e;

	assert_int_equal(journal_read(b->dir, OWNER, on_entry, &h, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	open_journal(b);
	journal_add(b->journal, REF, 1, 0, RESULT);
	assert_int_equal(journal_open(&second, b->loop, b->dir, OWNER, &e), -1);
	assert_int_equal(e.kind, ERR_RETRY);
	assert_null(second);
	assert_int_equal(journal_read(b->dir, OWNER, on_entry, &h, &e), -1);
	assert_int_equal(e.kind, ERR_RETRY);
	assert_int_equal(h.n, 0);
	close_journal(b);
	assert_int_equal(read_journal(b).n, 1);
}

static void a_journal_without_open_entries_is_removed(void **state)
{
	struct bench *b = *state;
	uint64_t entry[3];

	open_journal(b);
	for (int i = 0; i < 3; i++) {
		entry[i] = journal_add(b->journal, REF, i, 0, RESULT);
		assert_true(entry[i] > 0);
	}
	journal_confirm(b->journal, entry[1]);
	journal_confirm(b->journal, entry[1]);
	journal_confirm(b->journal, 0);
	journal_confirm(b->journal, 12345);
	assert_int_equal(journal_n_open(b->journal), 2);
	journal_confirm(b->journal, entry[2]);
	assert_true(size_of(b) > 0);
	journal_confirm(b->journal, entry[0]);
	assert_int_equal(journal_n_open(b->journal), 0);
	assert_int_equal(size_of(b), 0);
	assert_true(journal_add(b->journal, REF, 9, 0, RESULT) > entry[2]);
	assert_true(size_of(b) > 0);
	journal_confirm(b->journal, entry[2] + 1);
	close_journal(b);
	assert_int_equal(size_of(b), -1);
}

static void an_owner_that_still_holds_leases_can_be_found(void **state)
{
	struct bench *b = *state;

	open_journal(b);
	journal_close(b->journal, true);
	b->journal = NULL;
	assert_int_equal(size_of(b), 0);
}

static void a_torn_last_entry_is_dropped(void **state)
{
	static const char whole[] = REF " 1 5 21\n" RESULT "\n" REF " 2 5 21\n" RESULT "\n";
	struct bench *b = *state;
	size_t one = (sizeof(whole) - 1) / 2;

	open_journal(b);
	close_journal(b);
	for (size_t len = 0; len < sizeof(whole); len++) {
		write_file(b, whole, len);
		assert_int_equal(read_journal(b).n, len < one ? 0 : len < 2 * one ? 1 : 2);
	}
}

static void damaged_entries_are_not_read(void **state)
{
	static const char *const rows[] = {
		"nonsense\n",
		"\n\n\n",
		REF " 1 5\n" RESULT "\n",
		REF " x 5 21\n" RESULT "\n",
		REF " 1 5 -1\n" RESULT "\n",
		REF " 1 5 19\n" RESULT "\n",
		REF " 1 5 22\n" RESULT "\n",
		REF " 1 5 18446744073709551615\n" RESULT "\n",
		REF " 1 5 99999999999999999999999\n" RESULT "\n",
		REF REF " 1 5 21\n" RESULT "\n",
	};
	struct bench *b = *state;

	open_journal(b);
	close_journal(b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(b, rows[i], strlen(rows[i]));
		if (read_journal(b).n != 0)
			fail_msg("row %zu was read", i);
	}
	write_file(b, "\0\0\0\0", 4);
	assert_int_equal(read_journal(b).n, 0);
}

static void entries_after_a_damaged_one_are_read_and_the_file_is_kept(void **state)
{
	static const char *const damaged[] = {
		"nonsense\n",
		"\n",
		REF " 9 5 23\n" RESULT "\n",               /* the length is wrong */
		REF " 9 5 2100\n" RESULT "\n",             /* longer than the file */
		REF " 9 5 60\n0 delivered 250 - " REF " ", /* cut, then the next entry */
	};
	struct bench *b = *state;
	char all[1024], copy[160];
	struct heard h;

	open_journal(b);
	close_journal(b);
	snprintf(copy, sizeof(copy), "%s.damaged", b->path);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		char *owners[4];

		snprintf(all, sizeof(all), "%s%s%s", REF " 1 5 21\n" RESULT "\n", damaged[i],
			 "\n" REF " 2 5 21\n" RESULT "\n");
		write_file(b, all, strlen(all));
		h = read_journal(b);
		if (h.n != 2 || h.epochs[0] != 1 || h.epochs[1] != 2)
			fail_msg("row %zu: %d entries", i, h.n);
		assert_int_equal(journal_owners(b->dir, owners, 4), 1);
		free(owners[0]);
		journal_remove(b->dir, OWNER);
		assert_int_equal(size_of(b), -1);
		assert_int_equal(unlink(copy), 0);
	}
}

static void a_journal_of_more_than_64_mb_is_read_to_its_end(void **state)
{
	static char results[2 << 20];
	struct bench *b = *state;
	FILE *f;

	open_journal(b);
	close_journal(b);
	memset(results, 'x', sizeof(results) - 1);
	f = fopen(b->path, "we");
	assert_non_null(f);
	for (int i = 0; i < 33; i++)
		fprintf(f, REF " %d 5 %zu\n%s\n", i, strlen(results), results);
	fclose(f);
	assert_int_equal(read_journal(b).n, 33);
}

static void a_grown_file_is_rewritten_with_its_open_entries(void **state)
{
	struct bench *b = *state;
	char *results = malloc(100001);
	struct heard h;

	memset(results, 'x', 100000);
	results[100000] = 0;
	open_journal(b);
	assert_true(journal_add(b->journal, REF, 4711, 0, RESULT) > 0);
	for (int i = 0; i < 100; i++) {
		uint64_t entry = journal_add(b->journal, REF, i, 0, results);

		assert_true(entry > 0);
		if (i % 2 == 0)
			journal_confirm(b->journal, entry);
		assert_true(size_of(b) < 13 << 20);
	}
	assert_true(size_of(b) < 9 << 20); /* of 10 MB that were written */
	assert_int_equal(journal_n_open(b->journal), 51);
	close_journal(b);
	h = read_journal(b);
	assert_true(h.n >= 51);
	assert_int_equal(h.epochs[0], 4711);
	assert_int_equal(h.epochs[1], 1);
	assert_int_equal(h.epochs[2], 3);
	free(results);
}

static void a_file_whose_entries_are_all_open_is_not_rewritten_each_time(void **state)
{
	struct bench *b = *state;
	char *results = malloc(100001);

	memset(results, 'x', 100000);
	results[100000] = 0;
	open_journal(b);
	for (int i = 0; i < 200; i++)
		assert_true(journal_add(b->journal, REF, i, 0, results) > 0);
	assert_true(atomic_load(&n_syncs) <= 4);
	close_journal(b);
	assert_int_equal(read_journal(b).n, 200);
	free(results);
}

static void a_rewritten_file_is_still_locked(void **state)
{
	struct bench *b = *state;
	char *results = malloc(5000001);
	struct heard h = {0};
	struct err e;

	memset(results, 'x', 5000000);
	results[5000000] = 0;
	open_journal(b);
	assert_true(journal_add(b->journal, REF, 1, 0, results) > 0);
	assert_true(atomic_load(&n_syncs) > 0);
	assert_int_equal(journal_read(b->dir, OWNER, on_entry, &h, &e), -1);
	assert_int_equal(e.kind, ERR_RETRY);
	assert_true(journal_add(b->journal, REF, 2, 0, RESULT) > 0);
	close_journal(b);
	assert_int_equal(read_journal(b).n, 2);
	free(results);
}

static void entries_confirmed_in_time_are_never_synced(void **state)
{
	struct bench *b = *state;
	uint64_t entry;

	open_journal(b);
	for (int i = 0; i < 10; i++) {
		entry = journal_add(b->journal, REF, 1, 0, RESULT);
		run_for(b, 150);
		journal_confirm(b->journal, entry);
	}
	assert_int_equal(atomic_load(&n_syncs), 0);
}

static void each_entry_that_stays_open_is_synced_once(void **state)
{
	struct bench *b = *state;

	open_journal(b);
	assert_true(journal_add(b->journal, REF, 1, 0, RESULT) > 0);
	run_for(b, 700);
	assert_int_equal(atomic_load(&n_syncs), 0);
	run_for(b, 1000);
	assert_int_equal(atomic_load(&n_syncs), 1);
	run_for(b, 600);
	assert_int_equal(atomic_load(&n_syncs), 1);
	/* The first one is still open: the next must reach the disk all the same. */
	assert_true(journal_add(b->journal, REF, 2, 0, RESULT) > 0);
	run_for(b, 1700);
	assert_int_equal(atomic_load(&n_syncs), 2);
	run_for(b, 600);
	assert_int_equal(atomic_load(&n_syncs), 2);
}

static void a_full_disk_is_reported_and_leaves_no_torn_entry(void **state)
{
	struct bench *b = *state;
	struct rlimit old, small;
	uint64_t before, refused, again;

	open_journal(b);
	before = journal_add(b->journal, REF, 1, 0, RESULT);
	assert_true(before > 0 && journal_can_write(b->journal));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)size_of(b) + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	refused = journal_add(b->journal, REF, 2, 0, RESULT);
	run_for(b, 1600);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(refused, 0);
	assert_false(journal_can_write(b->journal));
	assert_int_equal(journal_n_open(b->journal), 1);
	run_for(b, 600);
	assert_true(journal_can_write(b->journal));
	again = journal_add(b->journal, REF, 3, 0, RESULT);
	assert_true(again > before);
	close_journal(b);
	assert_int_equal(read_journal(b).n, 2);
	assert_int_equal(read_journal(b).epochs[1], 3);
}

static void a_directory_that_cannot_be_created_is_an_error(void **state)
{
	struct bench *b = *state;
	char deep[600];
	struct err e;

	assert_int_equal(journal_open(&b->journal, b->loop, "/nonexistent/x", OWNER, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	memset(deep, 'x', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	assert_int_equal(journal_open(&b->journal, b->loop, deep, OWNER, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(b->journal);
	journal_remove(deep, OWNER);
}

static void many_entries_are_read_in_a_moment(void **state)
{
	struct bench *b = *state;
	int64_t began;

	open_journal(b);
	for (int i = 0; i < 40000; i++)
		assert_true(journal_add(b->journal, REF, i, 0, RESULT) > 0);
	close_journal(b);
	began = clock_mono_ms();
	assert_int_equal(read_journal(b).n, 40000);
	assert_in_range(clock_mono_ms() - began, 0, 3000);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_TESTS(IN_DIR(a_recovery_reads_the_unconfirmed_entries),
	   IN_DIR(entries_are_in_the_file_before_add_returns),
	   IN_DIR(a_journal_has_one_owner_at_a_time),
	   IN_DIR(a_journal_without_open_entries_is_removed),
	   IN_DIR(an_owner_that_still_holds_leases_can_be_found),
	   IN_DIR(a_torn_last_entry_is_dropped), IN_DIR(damaged_entries_are_not_read),
	   IN_DIR(entries_after_a_damaged_one_are_read_and_the_file_is_kept),
	   IN_DIR(a_journal_of_more_than_64_mb_is_read_to_its_end),
	   IN_DIR(a_grown_file_is_rewritten_with_its_open_entries),
	   IN_DIR(a_file_whose_entries_are_all_open_is_not_rewritten_each_time),
	   IN_DIR(a_rewritten_file_is_still_locked),
	   IN_DIR(entries_confirmed_in_time_are_never_synced),
	   IN_DIR(each_entry_that_stays_open_is_synced_once),
	   IN_DIR(a_full_disk_is_reported_and_leaves_no_torn_entry),
	   IN_DIR(a_directory_that_cannot_be_created_is_an_error),
	   IN_DIR(many_entries_are_read_in_a_moment))
