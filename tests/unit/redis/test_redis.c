/* What makes a store ready, and how calls end, against a real Redis that comes and goes. */
#include "tests/unit/store/store_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "server/base/log.h"
#include "server/redis/link/command.h"

/* ---- readiness ---- */

static const char *reason(const struct fixture *f)
{
	const char *why = NULL;

	redis_is_ready(f->store, &why);
	return why ? why : "";
}

static bool says(struct fixture *f, void *arg)
{
	return strstr(reason(f), arg);
}

static bool comes_to_say(struct fixture *f, const char *text)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	return becomes_within(f, says, copy, 8000);
}

static bool is_ready(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_is_ready(f->store, NULL);
}

static void a_new_store_becomes_ready_and_is_remembered(void **state)
{
	struct fixture *f = *state;
	char path[128], id[64] = "";
	FILE *file;

	open_store(f, REDIS_SCRIPTS);
	assert_false(redis_is_ready(f->store, NULL));
	assert_true(strlen(reason(f)) > 0);
	start_redis(f);
	wait_ready(f);
	assert_true(redis_is_connected(f->store));
	assert_string_equal(reason(f), "");
	assert_string_equal(redis_durability(f->store), "fsync");
	assert_int_equal(redis_partitions(f->store), 1);
	assert_true(llabs(redis_clock_offset_ms(f->store, 0)) < 1000);
	snprintf(path, sizeof(path), "%s/instance", f->data_dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(id, sizeof(id), file));
	fclose(file);
	id[strcspn(id, "\n")] = 0;
	assert_true(id_valid("ins", id));
}

static void the_setting_is_the_number_of_partitions_of_a_new_store_only(void **state)
{
	static const long long settings[] = {1, 8, 4};
	struct fixture *f = *state;

	assert_int_equal(redis_partitions(f->store), 4);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		close_store(f);
		f->config.partitions = settings[i];
		open_store(f, REDIS_SCRIPTS);
		wait_ready(f);
		assert_int_equal(redis_partitions(f->store), 4);
		assert_int_equal(redis_spread(f->store), 4);
	}
}

static bool has_seven(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_partitions(f->store) == 7;
}

static bool spreads_to_seven(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_spread(f->store) == 7;
}

static bool has_limit_of_seven(struct fixture *f, void *arg)
{
	(void)arg;
	return redis_do(f, "EXISTS pn:{p6}:otp_limit") == 1 &&
	       redis_do(f, "STRLEN pn:{p0}:otp_limit") == 3;
}

static void a_growth_is_read_and_its_step_begins_at_its_time(void **state)
{
	struct fixture *f = *state;
	char growth[64];

	f->config.otp_waiting = 4000;
	snprintf(growth, sizeof(growth), "4 0 7 %lld",
		 (long long)clock_real_ms() + (long long)redis_clock_offset_ms(f->store, 0) + 2500);
	redis_do(f, "HSET pn:{g}:meta partitions 7 growth %s", growth);
	assert_true(becomes(f, has_seven, NULL));
	assert_int_equal(redis_spread(f->store), 4);
	assert_true(becomes(f, spreads_to_seven, NULL));
	assert_true(becomes(f, has_limit_of_seven, NULL));
}

static void damaged_numbers_of_partitions_change_nothing(void **state)
{
	struct fixture *f = *state;

	redis_do(f, "HSET pn:{g}:meta partitions 9 growth %s", "4 0 9");
	run_for(f, 1500);
	assert_int_equal(redis_partitions(f->store), 4);
	assert_true(redis_is_ready(f->store, NULL));
}

static void a_redis_that_comes_back_with_its_files_is_ready_again(void **state)
{
	struct fixture *f = *state;

	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	assert_true(strlen(reason(f)) > 0);
	assert_false(redis_is_connected(f->store));
	start_redis(f);
	assert_true(becomes(f, is_ready, NULL));
}

static void a_redis_that_comes_back_empty_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/instance", f->data_dir);
	kill_redis(f);
	wipe_redis(f);
	start_redis(f);
	assert_true(comes_to_say(f, "is empty"));
	assert_non_null(strstr(reason(f), path));
	assert_false(redis_is_ready(f->store, NULL));
	run_for(f, 300);
	assert_int_equal(redis_do(f, "EXISTS pn:{g}:meta"), 0);
	close_store(f);
	assert_int_equal(remove(path), 0);
	open_store(f, REDIS_SCRIPTS);
	wait_ready(f);
}

static void another_store_at_the_same_address_is_refused(void **state)
{
	struct fixture *f = *state;

	redis_do(f, "HSET pn:{g}:meta instance %s", id_make("ins", 0).text);
	close_store(f);
	open_store(f, REDIS_SCRIPTS);
	assert_true(comes_to_say(f, "another store"));
	assert_non_null(strstr(reason(f), "/instance"));
}

static void a_meta_key_we_cannot_read_is_refused(void **state)
{
	static const struct {
		const char *command, *reason;
	} rows[] = {
		{"HSET pn:{g}:meta schema 1", "the store has schema 1"},
		{"HSET pn:{g}:meta partitions 0", "partitions"},
		{"HSET pn:{g}:meta partitions 1025", "partitions"},
		{"HSET pn:{g}:meta instance ins_short", "damaged"},
		{"HDEL pn:{g}:meta instance", "missing"},
		{"HDEL pn:{g}:meta partitions", "missing"},
		{"HDEL pn:{g}:meta schema", "missing"},
		{"SET pn:{g}:meta x", "WRONGTYPE"},
	};
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/instance", f->data_dir);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		close_store(f);
		redis_do(f, "FLUSHALL");
		remove(path);
		open_store(f, REDIS_SCRIPTS);
		wait_ready(f);
		close_store(f);
		redis_do(f, rows[i].command);
		open_store(f, REDIS_SCRIPTS);
		if (!comes_to_say(f, rows[i].reason))
			fail_msg("%s: \"%s\"", rows[i].command, reason(f));
		assert_false(redis_is_ready(f->store, NULL));
	}
}

static void a_damaged_instance_file_stops_the_start(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct redis *redis = NULL;
	struct err e = {0};
	FILE *file;

	snprintf(path, sizeof(path), "%s/instance", f->data_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("ins_what?\n", file);
	fclose(file);
	assert_int_equal(redis_open(&redis, f->loop, &f->config, REDIS_SCRIPTS, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, path));
	assert_null(redis);
}

static void settings_that_lose_mail_make_it_unready(void **state)
{
	static const struct {
		const char *wrong, *right, *reason;
	} rows[] = {
		{"CONFIG SET appendfsync everysec", "CONFIG SET appendfsync always", "appendfsync"},
		{"CONFIG SET maxmemory-policy allkeys-lru",
		 "CONFIG SET maxmemory-policy noeviction", "maxmemory_policy"},
		{"CONFIG SET no-appendfsync-on-rewrite yes",
		 "CONFIG SET no-appendfsync-on-rewrite no", "no-appendfsync-on-rewrite"},
		{"CONFIG SET appendonly no", "CONFIG SET appendonly yes", "appendonly"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		redis_do(f, rows[i].wrong);
		close_store(f);
		open_store(f, REDIS_SCRIPTS);
		if (!comes_to_say(f, rows[i].reason))
			fail_msg("%s: \"%s\"", rows[i].wrong, reason(f));
		assert_true(redis_is_connected(f->store));
		assert_string_equal(redis_durability(f->store), "relaxed");
		redis_do(f, rows[i].right);
		assert_true(becomes(f, is_ready, NULL));
		assert_string_equal(redis_durability(f->store), "fsync");
	}
}

static void a_setting_that_is_changed_meanwhile_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct accept_request m;
	struct accepted a;

	redis_do(f, "CONFIG SET appendfsync everysec");
	assert_true(comes_to_say(f, "appendfsync everysec"));
	m = plain_message(f);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_NOT_ACCEPTED);
	assert_non_null(strstr(a.why.text, "appendfsync"));
}

static void relaxed_durability_overrides_the_settings_and_says_so(void **state)
{
	struct fixture *f = *state;
	struct accept_request m;
	struct accepted a;

	start_redis(f);
	redis_do(f, "CONFIG SET appendfsync everysec");
	f->config.durability = DURABILITY_RELAXED;
	open_store(f, REDIS_SCRIPTS);
	wait_ready(f);
	assert_string_equal(redis_durability(f->store), "relaxed");
	m = plain_message(f);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
}

static void denied_settings_count_as_wrong_unless_asserted(void **state)
{
	struct fixture *f = *state;

	start_redis(f);
	redis_do(f, "ACL SETUSER default -config");
	open_store(f, REDIS_SCRIPTS);
	assert_true(comes_to_say(f, "CONFIG GET is denied"));
	close_store(f);
	f->config.assert_redis_settings = true;
	open_store(f, REDIS_SCRIPTS);
	wait_ready(f);
	assert_string_equal(redis_durability(f->store), "fsync");
}

/* A port that nobody listens on, for a moment. */
static int free_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	close(fd);
	return ntohs(addr.sin_port);
}

static void it_connects_over_tcp_with_a_user_and_a_database(void **state)
{
	struct fixture *f = *state;
	int port = free_port();
	char url[128], host[] = "127.0.0.1";
	struct accept_request m;
	struct accepted a;

	start_redis(f);
	redis_do(f, "CONFIG SET bind %s", host);
	redis_do(f, "CONFIG SET port %d", port);
	redis_do(f, "ACL SETUSER app on >p@ss ~* &* +@all");
	f->config.redis_url = url;
	snprintf(url, sizeof(url), "redis://app:wrong@%s:%d/3", host, port);
	open_store(f, REDIS_SCRIPTS);
	assert_true(comes_to_say(f, "WRONGPASS"));
	close_store(f);
	snprintf(url, sizeof(url), "redis://app:p%%40ss@%s:%d/3", host, port);
	open_store(f, REDIS_SCRIPTS | REDIS_SUBSCRIBER);
	wait_ready(f);
	m = plain_message(f);
	accept_one(f, &m, &a);
	assert_int_equal(a.status, ACCEPT_COMMITTED);
	assert_int_equal(redis_do(f, "EXISTS pn:{p0}:m:%s", a.id), 0); /* not in database 0 */
	close_store(f);
	snprintf(url, sizeof(url), "redis://app:p%%40ss@localhost:%d/3", port);
	open_store(f, REDIS_SCRIPTS | REDIS_SUBSCRIBER);
	wait_ready(f);
	assert_true(look_at(f, PROJECT, a.id).is_found);
}

static void an_invalid_url_is_an_error_at_once(void **state)
{
	struct fixture *f = *state;
	struct redis *redis = NULL;
	struct err e = {0};

	f->config.redis_url = "http://localhost";
	assert_int_equal(redis_open(&redis, f->loop, &f->config, REDIS_SCRIPTS, &e), -1);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(redis);
}

static void waiting_for_a_dead_store_ends_with_the_reason(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	open_store(f, REDIS_SCRIPTS);
	assert_int_equal(redis_wait_ready(f->store, 200, &e), -1);
	assert_int_equal(e.kind, ERR_RETRY);
	assert_non_null(strstr(e.text, "No such file"));
}

/* ---- calls ---- */

struct ended {
	int calls;
	enum call_end end;
	long long integer;
	struct err why;
};

static void on_end(const struct call_result *result, void *context)
{
	struct ended *d = context;

	d->calls++;
	d->end = result->end;
	d->integer = resp_number(result->reply);
	d->why = result->why ? *result->why : (struct err){0};
}

static void ask(struct fixture *f, const char *verb, const char *key, int64_t limit_ms,
		struct ended *d)
{
	struct command c = {0};

	command_start(&c, verb);
	command_str(&c, key);
	redis_call(f->store, &c, 0, limit_ms, CALLBACK(on_end, d));
	assert_null(c.bytes.data);
	assert_int_equal(d->calls, 0);
}

static void a_call_gets_one_reply(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0};

	ask(f, "INCR", "n", 1000, &d);
	assert_true(becomes(f, was_called, &d.calls));
	run_for(f, 300);
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.end, CALL_ANSWERED);
	assert_int_equal(d.integer, 1);
}

static void a_call_that_redis_refuses_has_failed(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0};

	ask(f, "NONSENSE", "n", 5000, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_FAILED);
	assert_int_equal(d.why.kind, ERR_INTERNAL);
	assert_int_equal(d.calls, 1);
}

static void a_refused_call_without_a_limit_is_asked_again_but_not_for_ever(void **state)
{
	struct fixture *f = *state;
	struct ended heals = {0}, lasts = {0};

	redis_do(f, "SET n x");
	ask(f, "INCR", "n", 0, &heals);
	ask(f, "NONSENSE", "n", 0, &lasts);
	run_for(f, 500);
	assert_int_equal(heals.calls, 0);
	redis_do(f, "SET n 1");
	assert_true(becomes(f, was_called, &heals.calls));
	assert_int_equal(heals.end, CALL_ANSWERED);
	assert_int_equal(heals.integer, 2);
	wait_call(f, &lasts.calls);
	assert_int_equal(lasts.end, CALL_FAILED);
	assert_int_equal(lasts.why.kind, ERR_INTERNAL);
}

static void a_call_that_could_not_be_written_has_failed(void **state)
{
	struct fixture *f = *state;
	struct command c = {0};
	struct ended d = {0};

	command_start(&c, "GET");
	c.bytes.failed = true;
	redis_call(f->store, &c, 0, 0, CALLBACK(on_end, &d));
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_FAILED);
}

static void a_call_that_never_left_was_never_sent(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0}, patient = {0};

	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	ask(f, "INCR", "n", 300, &d);
	ask(f, "INCR", "n", 0, &patient);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_NEVER_SENT);
	assert_int_equal(d.why.kind, ERR_RETRY);
	start_redis(f);
	assert_true(becomes(f, was_called, &patient.calls));
	assert_int_equal(patient.end, CALL_ANSWERED);
	assert_int_equal(patient.integer, 1);
	assert_int_equal(d.calls, 1);
}

static void a_call_without_a_reply_is_unknown_and_its_late_reply_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0}, next = {0};

	kill(f->redis, SIGSTOP);
	ask(f, "INCR", "n", 300, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_UNKNOWN);
	kill(f->redis, SIGCONT);
	ask(f, "INCR", "n", 5000, &next);
	assert_true(becomes(f, was_called, &next.calls));
	assert_int_equal(next.integer, 2);
	assert_int_equal(d.calls, 1);
}

static void a_call_under_way_is_asked_again_on_the_next_connection(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0}, given_up = {0};

	kill(f->redis, SIGSTOP);
	ask(f, "INCR", "n", 0, &d);
	ask(f, "INCR", "n", 200, &given_up);
	run_for(f, 600);
	assert_int_equal(d.calls, 0);
	assert_int_equal(given_up.end, CALL_UNKNOWN);
	kill_redis(f);
	start_redis(f);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_ANSWERED);
	run_for(f, 300);
	assert_int_equal(redis_do(f, "GETSET n x"),
			 1); /* "1": what was given up is not asked again */
	assert_int_equal(d.integer, 1);
	assert_int_equal(d.calls, 1);
	assert_int_equal(given_up.calls, 1);
}

static void calls_that_redis_cannot_run_now_are_sent_again(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0}, in_time = {0};

	redis_do(f, "CONFIG SET maxmemory 1");
	ask(f, "INCR", "n", 0, &d);
	ask(f, "INCR", "n", 400, &in_time);
	assert_true(becomes(f, was_called, &in_time.calls));
	assert_int_equal(in_time.end, CALL_NEVER_SENT);
	assert_int_equal(d.calls, 0);
	redis_do(f, "CONFIG SET maxmemory 0");
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_ANSWERED);
	assert_int_equal(d.integer, 1);
}

static void mail_that_a_replica_refuses_is_not_accepted(void **state)
{
	struct fixture *f = *state;
	struct accept_request m[3];
	struct accepted a[3] = {{0}};

	redis_do(f, "REPLICAOF 127.0.0.1 1");
	for (int i = 0; i < 3; i++) {
		m[i] = plain_message(f);
		accept_message(f->store, &m[i], on_accepted, &a[i]);
		run_for(f, 5);
	}
	for (int i = 0; i < 3; i++) {
		assert_true(becomes(f, was_called, &a[i].calls));
		assert_int_equal(a[i].status, ACCEPT_NOT_ACCEPTED);
		assert_int_equal(a[i].why.kind, ERR_RETRY);
		assert_non_null(strstr(a[i].why.text, "READONLY"));
	}
	assert_true(comes_to_say(f, "READONLY"));
	redis_do(f, "REPLICAOF NO ONE");
	assert_true(becomes(f, is_ready, NULL));
}

static void a_replica_that_becomes_master_in_time_takes_the_call(void **state)
{
	struct fixture *f = *state;
	struct ended d = {0};

	redis_do(f, "REPLICAOF 127.0.0.1 1");
	ask(f, "INCR", "n", 10000, &d);
	run_for(f, 300);
	assert_int_equal(d.calls, 0);
	redis_do(f, "REPLICAOF NO ONE");
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.end, CALL_ANSWERED);
}

static void abandoned_calls_end_sent_or_not(void **state)
{
	struct fixture *f = *state;
	struct ended sent[3] = {{0}}, unsent = {0};

	kill(f->redis, SIGSTOP);
	for (int i = 0; i < 3; i++)
		ask(f, "INCR", "n", i ? 0 : 60000, &sent[i]);
	run_for(f, 20);
	redis_abandon(f->store);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sent[i].calls, 1);
		assert_int_equal(sent[i].end, CALL_UNKNOWN);
		assert_int_equal(sent[i].why.kind, ERR_RETRY);
	}
	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	ask(f, "INCR", "n", 0, &unsent);
	redis_abandon(f->store);
	assert_int_equal(unsent.calls, 1);
	redis_abandon(f->store);
	redis_abandon(NULL);
	redis_close(f->store);
	redis_close(NULL);
	f->store = NULL;
	assert_int_equal(sent[0].calls + unsent.calls, 2);
}

UNIT_TESTS(BARE(a_new_store_becomes_ready_and_is_remembered),
	   FOUR(the_setting_is_the_number_of_partitions_of_a_new_store_only),
	   FOUR(a_growth_is_read_and_its_step_begins_at_its_time),
	   FOUR(damaged_numbers_of_partitions_change_nothing),
	   READY(a_redis_that_comes_back_with_its_files_is_ready_again),
	   READY(a_redis_that_comes_back_empty_is_refused),
	   READY(another_store_at_the_same_address_is_refused),
	   READY(a_meta_key_we_cannot_read_is_refused),
	   BARE(a_damaged_instance_file_stops_the_start),
	   READY(settings_that_lose_mail_make_it_unready),
	   READY(a_setting_that_is_changed_meanwhile_is_noticed),
	   BARE(relaxed_durability_overrides_the_settings_and_says_so),
	   BARE(denied_settings_count_as_wrong_unless_asserted),
	   BARE(it_connects_over_tcp_with_a_user_and_a_database),
	   BARE(an_invalid_url_is_an_error_at_once),
	   BARE(waiting_for_a_dead_store_ends_with_the_reason), READY(a_call_gets_one_reply),
	   READY(a_call_that_redis_refuses_has_failed),
	   READY(a_refused_call_without_a_limit_is_asked_again_but_not_for_ever),
	   READY(a_call_that_could_not_be_written_has_failed),
	   READY(a_call_that_never_left_was_never_sent),
	   READY(a_call_without_a_reply_is_unknown_and_its_late_reply_is_ignored),
	   READY(a_call_under_way_is_asked_again_on_the_next_connection),
	   READY(calls_that_redis_cannot_run_now_are_sent_again),
	   READY(mail_that_a_replica_refuses_is_not_accepted),
	   READY(a_replica_that_becomes_master_in_time_takes_the_call),
	   READY(abandoned_calls_end_sent_or_not))
