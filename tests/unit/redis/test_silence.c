/* When a connection to Redis counts as dead: not while octets move, through a proxy that delays. */
#include "tests/unit/redis/redis_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server/base/log.h"
#include "server/redis/link/command.h"

#define PAIRS_MAX 32
#define UP_BYTES 16384 /* to Redis each 100 ms, while it is slow */
#define DOWN_BYTES 10  /* from Redis */
#define LARGE ((size_t)2 << 20)

enum pace { PACE_FAST, PACE_SLOW, PACE_STOPPED };

/* Passes octets between clients and Redis, in a thread of its own. */
struct proxy {
	char path[112], redis[96];
	int fd;
	pthread_t thread;
	struct {
		int client, redis;
	} pairs[PAIRS_MAX];
	atomic_int n_pairs, pace;
	atomic_bool is_over;
};

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static void add_pair(struct proxy *p)
{
	struct sockaddr_un address;
	int n = p->n_pairs;

	assert_true(n < PAIRS_MAX);
	p->pairs[n].client = accept(p->fd, NULL, NULL);
	p->pairs[n].redis = unix_socket(p->redis, &address);
	assert_int_equal(connect(p->pairs[n].redis, (void *)&address, sizeof(address)), 0);
	p->n_pairs = n + 1;
}

static void pass(int from, int to, size_t most)
{
	char bytes[65536];
	ssize_t n = recv(from, bytes, most < sizeof(bytes) ? most : sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t at = 0; at < n;) {
		ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (sent < 0)
			return;
		at += sent;
	}
}

static void *run_proxy(void *arg)
{
	struct proxy *p = arg;

	while (!p->is_over) {
		struct pollfd listening = {.fd = p->fd, .events = POLLIN};
		int pace = p->pace;

		if (poll(&listening, 1, pace == PACE_FAST ? 1 : 100) > 0)
			add_pair(p);
		for (int i = 0; pace != PACE_STOPPED && i < p->n_pairs; i++) {
			pass(p->pairs[i].client, p->pairs[i].redis,
			     pace == PACE_SLOW ? UP_BYTES : SIZE_MAX);
			pass(p->pairs[i].redis, p->pairs[i].client,
			     pace == PACE_SLOW ? DOWN_BYTES : SIZE_MAX);
		}
	}
	return NULL;
}

static void start_proxy(struct proxy *p, const struct fixture *f)
{
	struct sockaddr_un address;

	*p = (struct proxy){0};
	snprintf(p->redis, sizeof(p->redis), "%s", f->socket);
	snprintf(p->path, sizeof(p->path), "%s/proxy.sock", f->dir);
	p->fd = unix_socket(p->path, &address);
	assert_int_equal(bind(p->fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, run_proxy, p), 0);
}

static void stop_proxy(struct proxy *p)
{
	p->is_over = true;
	pthread_join(p->thread, NULL);
	for (int i = 0; i < p->n_pairs; i++) {
		close(p->pairs[i].client);
		close(p->pairs[i].redis);
	}
	close(p->fd);
}

struct ended {
	int calls;
	enum call_end end;
	size_t len;
};

static void on_end(const struct call_result *result, void *context)
{
	struct ended *d = context;

	d->calls++;
	d->end = result->end;
	d->len = resp_len(result->reply);
}

static void set(struct fixture *f, const char *key, const char *value, size_t len, struct ended *d)
{
	struct command c = {0};

	command_start(&c, "SET");
	command_str(&c, key);
	command_arg(&c, value, len);
	redis_call_bulk(f->store, &c, 0, CALLBACK(on_end, d));
}

static bool has_more_pairs(struct fixture *f, void *arg)
{
	const struct proxy *p = arg;

	(void)f;
	return p->n_pairs > 3;
}

static void a_connection_is_dead_when_no_octet_moves_not_when_a_reply_is_late(void **state)
{
	struct fixture *f = *state;
	struct proxy p;
	char url[128], *large = calloc(1, LARGE);
	struct ended first = {0}, upload = {0}, download = {0};
	struct command get = {0};

	assert_non_null(large);
	start_redis(f);
	start_proxy(&p, f);
	snprintf(url, sizeof(url), "unix://%s", p.path);
	f->config.redis_url = url;
	open_store(f, REDIS_SCRIPTS);
	wait_ready(f);
	set(f, "small", large, 1400, &first);
	assert_true(becomes(f, was_called, &first.calls));
	assert_int_equal(p.n_pairs, 3);

	p.pace = PACE_SLOW;
	set(f, "large", large, LARGE, &upload);
	command_start(&get, "GET");
	command_str(&get, "small");
	redis_call(f->store, &get, 1, 0, CALLBACK(on_end, &download));
	run_for(f, 11500);
	assert_int_equal(upload.calls + download.calls, 0);
	assert_true(becomes(f, was_called, &upload.calls));
	assert_true(becomes(f, was_called, &download.calls));
	assert_int_equal(download.len, 1400);
	assert_int_equal(p.n_pairs, 3);

	p.pace = PACE_STOPPED;
	set(f, "small", large, 10, &first);
	assert_true(becomes(f, has_more_pairs, &p));
	p.pace = PACE_FAST;
	first.calls = 0;
	assert_true(becomes(f, was_called, &first.calls));
	assert_int_equal(first.end, CALL_ANSWERED);
	close_store(f);
	stop_proxy(&p);
	free(large);
}

struct count {
	int sent, never_sent;
};

static void on_counted(const struct call_result *result, void *context)
{
	struct count *count = context;

	if (result->end == CALL_NEVER_SENT)
		count->never_sent++;
	else
		count->sent++;
}

/* While Redis is stopped, calls that were sent end as CALL_UNKNOWN. */
static struct count count_sent(struct fixture *f, size_t len)
{
	static const char value[64 << 10];
	struct count count = {0};
	struct command c = {0};

	kill(f->redis, SIGSTOP);
	for (int i = 0; i < 100; i++) {
		command_start(&c, "SET");
		command_str(&c, "key");
		command_arg(&c, value, len);
		redis_call_bulk(f->store, &c, 100, CALLBACK(on_counted, &count));
	}
	run_for(f, 600);
	kill(f->redis, SIGCONT);
	assert_int_equal(count.sent + count.never_sent, 100);
	return count;
}

static void only_so_many_bulk_calls_are_without_a_reply(void **state)
{
	struct fixture *f = *state;
	struct ended done[3] = {0};

	set(f, "key", "x", 1, &done[0]);
	assert_true(becomes(f, was_called, &done[0].calls));
	assert_int_equal(count_sent(f, 100).sent, 16);
	set(f, "key", "x", 1, &done[1]);
	assert_true(becomes(f, was_called, &done[1].calls));
	assert_int_equal(count_sent(f, 64 << 10).sent, 7);
	set(f, "key", "last", 4, &done[2]);
	assert_true(becomes(f, was_called, &done[2].calls));
	assert_int_equal(redis_do(f, "STRLEN key"), 4);
}

UNIT_TESTS(cmocka_unit_test_setup_teardown(
		   a_connection_is_dead_when_no_octet_moves_not_when_a_reply_is_late,
		   fixture_setup_bare, fixture_teardown),
	   cmocka_unit_test_setup_teardown(only_so_many_bulk_calls_are_without_a_reply,
					   fixture_setup, fixture_teardown))
