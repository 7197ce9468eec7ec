#ifndef TESTS_UNIT_REDIS_REDIS_FIXTURE_H
#define TESTS_UNIT_REDIS_REDIS_FIXTURE_H

#include <fts.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/log.h"
#include "server/base/id.h"
#include "server/base/loop.h"
#include "server/redis/redis.h"
#include "tests/unit/unit.h"

/* For tests against a real Redis: a private one in a temporary directory, which can be killed and
 * brought back, a store on it, and the asking. A test may close the store and open it anew. */

#define PATIENCE_MS 20000

struct fixture {
	char dir[64];
	char redis_dir[80], data_dir[80], socket[96], url[112];
	pid_t redis; /* 0 = not running */
	struct loop *loop;
	struct config config;
	struct redis *store;
};

/* ---- Redis ---- */

static inline void remove_tree(const char *dir)
{
	char path[96];
	FTS *walk;
	FTSENT *at;

	snprintf(path, sizeof(path), "%s", dir);
	walk = fts_open((char *[]){path, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (walk && (at = fts_read(walk)))
		if (at->fts_info != FTS_D)
			remove(at->fts_path);
	if (walk)
		fts_close(walk);
}

/* A connection of our own, beside the store's; NULL when Redis does not answer. */
static inline redisContext *visit(const struct fixture *f)
{
	redisContext *redis = redisConnectUnix(f->socket);
	redisReply *r = redis && !redis->err ? redisCommand(redis, "PING") : NULL;
	bool is_up = r && r->type == REDIS_REPLY_STATUS;

	freeReplyObject(r);
	if (is_up)
		return redis;
	if (redis)
		redisFree(redis);
	return NULL;
}

static inline void start_redis(struct fixture *f)
{
	int64_t limit = clock_mono_ms() + PATIENCE_MS;
	redisContext *redis = NULL;

	f->redis = fork();
	assert_true(f->redis >= 0);
	if (f->redis == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", f->socket,
		       "--dir", f->redis_dir, "--appendonly", "yes", "--appendfsync", "always",
		       "--save", "", "--logfile", "redis.log", (char *)NULL);
		_exit(127);
	}
	while (!(redis = visit(f)) && clock_mono_ms() < limit)
		usleep(10000);
	assert_non_null(redis);
	redisFree(redis);
}

static inline void kill_redis(struct fixture *f)
{
	if (f->redis <= 0)
		return;
	kill(f->redis, SIGKILL);
	waitpid(f->redis, NULL, 0);
	f->redis = 0;
}

/* Redis loses everything it had. */
static inline void wipe_redis(const struct fixture *f)
{
	remove_tree(f->redis_dir);
	assert_int_equal(mkdir(f->redis_dir, 0700), 0);
}

/* A number in a section of INFO: the digits after the name; 0 = none. */
static inline long long redis_info(const struct fixture *f, const char *section, const char *name)
{
	redisContext *redis = visit(f);
	redisReply *r = redisCommand(redis, "INFO %s", section);
	const char *at = strstr(r->str, name);
	long long n = at ? atoll(at + strlen(name)) : 0;

	freeReplyObject(r);
	redisFree(redis);
	return n;
}

/* Runs one command, which must not fail; an integer, or the length of a text; -1 = nil. */
static inline long long redis_do(const struct fixture *f, const char *fmt, ...)
{
	redisContext *redis = visit(f);
	redisReply *r;
	va_list ap;
	long long n;

	assert_non_null(redis);
	va_start(ap, fmt);
	r = redisvCommand(redis, fmt, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", fmt, r->str);
	n = r->type == REDIS_REPLY_INTEGER ? r->integer
	    : r->type == REDIS_REPLY_NIL   ? -1
					   : (long long)r->len;
	freeReplyObject(r);
	redisFree(redis);
	return n;
}

/* ---- the store ---- */

static inline void open_store(struct fixture *f, unsigned needs)
{
	struct err e = {0};

	if (redis_open(&f->store, f->loop, &f->config, needs, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void close_store(struct fixture *f)
{
	redis_abandon(f->store);
	redis_close(f->store);
	f->store = NULL;
}

static inline void wait_ready(struct fixture *f)
{
	struct err e = {0};

	if (redis_wait_ready(f->store, PATIENCE_MS, &e) < 0)
		fail_msg("%s", e.text);
}

typedef bool claim_fn(struct fixture *f, void *arg);

struct spin {
	struct fixture *f;
	struct loop_timer timer;
	claim_fn *claim;
	void *arg;
	int64_t limit;
};

static inline void spin_look(void *arg)
{
	struct spin *s = arg;

	if (s->claim(s->f, s->arg) || clock_mono_ms() >= s->limit)
		loop_stop(s->f->loop);
	else
		loop_timer_set(&s->timer, 5);
}

/* Runs the loop until the claim holds; false when it does not within ms. */
static inline bool becomes_within(struct fixture *f, claim_fn *claim, void *arg, int64_t ms)
{
	struct spin s = {.f = f, .claim = claim, .arg = arg, .limit = clock_mono_ms() + ms};

	assert_int_equal(loop_timer_init(&s.timer, f->loop, spin_look, &s), 0);
	loop_timer_set(&s.timer, 0);
	loop_run(f->loop);
	loop_timer_deinit(&s.timer);
	return claim(f, arg);
}

static inline bool becomes(struct fixture *f, claim_fn *claim, void *arg)
{
	return becomes_within(f, claim, arg, PATIENCE_MS);
}

static bool never(struct fixture *f, void *arg)
{
	(void)f;
	(void)arg;
	return false;
}

static inline void run_for(struct fixture *f, int64_t ms)
{
	becomes_within(f, never, NULL, ms);
}

static inline bool is_unready(struct fixture *f, void *arg)
{
	(void)arg;
	return !redis_is_ready(f->store, NULL);
}

/* Claims that an int, counted by callbacks, is no longer 0. */
static inline bool was_called(struct fixture *f, void *arg)
{
	(void)f;
	return *(int *)arg > 0;
}

/* Runs the loop until the callback that counts in *calls has fired, once and not before. */
static inline void wait_call(struct fixture *f, int *calls)
{
	assert_int_equal(*calls, 0);
	assert_true(becomes(f, was_called, calls));
	assert_int_equal(*calls, 1);
}

/* For callbacks that report only success or an error. */
struct finished {
	int calls;
	struct err why;
};

static inline void on_finished(const struct err *why, void *arg)
{
	struct finished *d = arg;

	d->calls++;
	d->why = why ? *why : (struct err){0};
}

static inline enum err_kind wait_finished(struct fixture *f, struct finished *d)
{
	wait_call(f, &d->calls);
	return d->why.kind;
}

/* ---- set up and tear down ---- */

static inline struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init(LOG_ERROR, LOG_FORMAT_TEXT, "test");
	snprintf(f->dir, sizeof(f->dir), "/tmp/postern-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->redis_dir, sizeof(f->redis_dir), "%s/redis", f->dir);
	snprintf(f->data_dir, sizeof(f->data_dir), "%s/data", f->dir);
	snprintf(f->socket, sizeof(f->socket), "%s/redis.sock", f->dir);
	snprintf(f->url, sizeof(f->url), "unix://%s", f->socket);
	assert_int_equal(mkdir(f->redis_dir, 0700), 0);
	assert_int_equal(mkdir(f->data_dir, 0700), 0);
	f->config = (struct config){.redis_url = f->url,
				    .data_dir = f->data_dir,
				    .durability = DURABILITY_FSYNC,
				    .partitions = 1,
				    .test_inbox_bytes = 64 << 20,
				    .idempotency_s = 86400,
				    .retention_s = 259200,
				    .site_connections = 20,
				    .retry_first_otp_s = 60,
				    .retry_first_s = 300,
				    .retry_max_s = 14400};
	f->loop = loop_new();
	assert_non_null(f->loop);
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	redis_close(f->store); /* without redis_abandon: after a failed test nobody is there to be
				  told */
	loop_free(f->loop);
	kill_redis(f);
	remove_tree(f->dir);
	free(f);
}

/* With Redis and a store that is ready. */
static inline int fixture_setup(void **state)
{
	struct fixture *f = fixture_new();

	*state = f;
	start_redis(f);
	open_store(f, REDIS_SCRIPTS | REDIS_SUBSCRIBER);
	wait_ready(f);
	return 0;
}

static inline int fixture_setup_partitions(void **state)
{
	struct fixture *f = fixture_new();

	*state = f;
	f->config.partitions = 4;
	start_redis(f);
	open_store(f, REDIS_SCRIPTS | REDIS_SUBSCRIBER);
	wait_ready(f);
	return 0;
}

/* Without either: the test starts them. */
static inline int fixture_setup_bare(void **state)
{
	*state = fixture_new();
	return 0;
}

static inline int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* Entries of UNIT_TESTS: with a store that is ready, with one of four partitions, without one. */
#define READY(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, fixture_setup_partitions, fixture_teardown)
#define BARE(name) cmocka_unit_test_setup_teardown(name, fixture_setup_bare, fixture_teardown)

#endif
