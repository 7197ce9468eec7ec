/* POSTERN_REDIS_URL: what is read from it, and what is said about one that is wrong. */
#include "server/redis/link/url.h"

#include <stdio.h>
#include <string.h>

#include "server/config/config.h"
#include "tests/unit/unit.h"

static int parse(const char *text, const char *data_dir, struct redis_url *u, struct err *e)
{
	struct config c = {.redis_url = text, .data_dir = data_dir};

	return redis_url_parse(&c, u, e);
}

static void assert_same_host(const struct redis_host *a, const struct redis_host *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->port, b->port);
}

static void good_urls_are_read(void **state)
{
	static const struct {
		const char *text;
		struct redis_url url;
	} rows[] = {
		{"redis://localhost", {.host = {"localhost", 6379}}},
		{"redis://localhost/", {.host = {"localhost", 6379}}},
		{"redis://10.0.0.1:6380/15", {.host = {"10.0.0.1", 6380}, .db = 15}},
		{"redis://h:65535", {.host = {"h", 65535}}},
		{"redis://h:1", {.host = {"h", 1}}},
		{"redis://[::1]", {.host = {"::1", 6379}}},
		{"redis://[::1]:7000/2", {.host = {"::1", 7000}, .db = 2}},
		{"redis://:secret@h", {.host = {"h", 6379}, .password = "secret"}},
		{"redis://app:a%40b%3A%2f@h:7",
		 {.host = {"h", 7}, .user = "app", .password = "a@b:/"}},
		{"redis://app:p@ss:w@h",
		 {.host = {"h", 6379}, .user = "app", .password = "p@ss:w"}},
		{"rediss://h", {.host = {"h", 6379}, .is_tls = true}},
		{"rediss://app:p%25@[::1]:7000/2",
		 {.host = {"::1", 7000}, .user = "app", .password = "p%", .db = 2, .is_tls = true}},
		{"unix:///run/redis.sock", {.path = "/run/redis.sock"}},
		{"unix:///run/redis.sock?db=2", {.path = "/run/redis.sock", .db = 2}},
		{"unix:///run/a%3Fb%25@c", {.path = "/run/a?b%@c"}},
		{"unix://app:p%40w@/run/redis.sock",
		 {.path = "/run/redis.sock", .user = "app", .password = "p@w"}},
		{"unix://:p@w@/run/redis.sock?db=15",
		 {.path = "/run/redis.sock", .password = "p@w", .db = 15}},
		{"redis+sentinel://a/mymaster",
		 {.hosts = {{"a", 26379}}, .n_hosts = 1, .service = "mymaster"}},
		{"redis+sentinel://a:1,[::1],[::2]:3,10.0.0.1/my%2Fmaster%3F?db=7",
		 {.hosts = {{"a", 1}, {"::1", 26379}, {"::2", 3}, {"10.0.0.1", 26379}},
		  .n_hosts = 4,
		  .service = "my/master?",
		  .db = 7}},
		{"rediss+sentinel://app:a%2Cb@a,b/s?db=0",
		 {.hosts = {{"a", 26379}, {"b", 26379}},
		  .n_hosts = 2,
		  .service = "s",
		  .user = "app",
		  .password = "a,b",
		  .is_tls = true}},
		{"redis+sentinel://1,2,3,4,5,6,7,8/s",
		 {.hosts = {{"1", 26379},
			    {"2", 26379},
			    {"3", 26379},
			    {"4", 26379},
			    {"5", 26379},
			    {"6", 26379},
			    {"7", 26379},
			    {"8", 26379}},
		  .n_hosts = 8,
		  .service = "s"}},
		{"redis+cluster://a", {.hosts = {{"a", 6379}}, .n_hosts = 1, .is_cluster = true}},
		{"redis+cluster://:p%2Fw@a:1,[::1]:7000,10.0.0.1/",
		 {.hosts = {{"a", 1}, {"::1", 7000}, {"10.0.0.1", 6379}},
		  .n_hosts = 3,
		  .password = "p/w",
		  .is_cluster = true}},
		{"rediss+cluster://app:a?b@a,b/0",
		 {.hosts = {{"a", 6379}, {"b", 6379}},
		  .n_hosts = 2,
		  .user = "app",
		  .password = "a?b",
		  .is_cluster = true,
		  .is_tls = true}},
		{"", {.path = "/data/redis.sock"}},
	};
	struct redis_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse(rows[i].text, "/data", &u, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_string_equal(u.path, rows[i].url.path);
		assert_same_host(&u.host, &rows[i].url.host);
		assert_string_equal(u.service, rows[i].url.service);
		assert_int_equal(u.n_hosts, rows[i].url.n_hosts);
		for (unsigned n = 0; n < u.n_hosts; n++)
			assert_same_host(&u.hosts[n], &rows[i].url.hosts[n]);
		assert_string_equal(u.user, rows[i].url.user);
		assert_string_equal(u.password, rows[i].url.password);
		assert_int_equal(u.db, rows[i].url.db);
		assert_int_equal(u.is_cluster, rows[i].url.is_cluster);
		assert_int_equal(u.is_tls, rows[i].url.is_tls);
	}
}

static void wrong_urls_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{"localhost:6379", "none of the known schemes"},
		{"http://h", "none of the known schemes"},
		{"REDIS://h", "none of the known schemes"},
		{"rediss://", "the host is missing"},
		{"rediss://h:0", "port"},
		{"redis://", "the host is missing"},
		{"redis://:6379", "the host is missing"},
		{"redis://:pw@", "the host is missing"},
		{"redis:///3", "the host is missing"},
		{"redis://[]", "the host is missing"},
		{"redis://h:", "port"},
		{"redis://h:0", "port"},
		{"redis://h:65536", "port"},
		{"redis://h:-1", "port"},
		{"redis://h:63x9", "port"},
		{"redis://h:100000000000", "port"},
		{"redis://h/x", "database"},
		{"redis://h/1000", "database"},
		{"redis://h/0?tls=1", "database"},
		{"redis://[::1", "not closed"},
		{"redis://[::1]6379", "colon"},
		{"redis://user@h", "user:password"},
		{"redis://u:%zz@h", "encoded"},
		{"redis://u:abc%4@h", "encoded"},
		{"redis://u:a%00b@h", "encoded"},
		{"redis+sentinel://", "the host is missing"},
		{"redis+sentinel:///s", "the host is missing"},
		{"redis+sentinel://a,/s", "the host is missing"},
		{"redis+sentinel://a,,b/s", "the host is missing"},
		{"redis+sentinel://a:0,b/s", "port"},
		{"redis+sentinel://a,b:65536/s", "port"},
		{"redis+sentinel://[::1,b/s", "not closed"},
		{"redis+sentinel://a,b", "the service is missing"},
		{"redis+sentinel://a,b/", "the service is missing"},
		{"redis+sentinel://a,b/?db=1", "the service is missing"},
		{"redis+sentinel://a/s?db=x", "database"},
		{"redis+sentinel://a/s?tls=1", "db=number"},
		{"redis+sentinel://a/s%zz", "encoded"},
		{"redis+sentinel://u@a/s", "user:password"},
		{"redis+sentinel://1,2,3,4,5,6,7,8,9/s", "at most 8 hosts"},
		{"redis+cluster://", "the host is missing"},
		{"redis+cluster://a,", "the host is missing"},
		{"redis+cluster://a:x", "port"},
		{"redis+cluster://a,b/1", "only database 0"},
		{"redis+cluster://a,b/0?x=1", "only database 0"},
		{"redis+cluster://a,b?db=0", "only database 0"},
		{"redis+cluster://u@a", "user:password"},
		{"redis+cluster://1,2,3,4,5,6,7,8,9", "at most 8 hosts"},
		{"sentinel://a/s", "none of the known schemes"},
		{"unix://redis.sock", "absolute"},
		{"unix://", "absolute"},
		{"unix://app:pw@run/redis.sock", "absolute"},
		{"unix://app:pw@", "absolute"},
		{"unix:///run/a%00b", "absolute"},
		{"unix:///run/a%zz", "absolute"},
		{"unix://app@/run/redis.sock", "user:password"},
		{"unix:///run/redis.sock?db=", "database"},
		{"unix:///run/redis.sock?db=1000", "database"},
		{"unix:///run/redis.sock?db=2&x=1", "database"},
		{"unix:///run/redis.sock?tls=1", "db=number"},
	};
	struct redis_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&u, 0x5a, sizeof(u));
		if (parse(rows[i].text, "/data", &u, &e) == 0)
			fail_msg("%s was read", rows[i].text);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_memory_equal(e.text, "POSTERN_REDIS_URL: ", 19);
		if (!strstr(e.text, rows[i].reason))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal((unsigned char)u.path[0], 0x5a);
	}
}

static void a_password_is_never_in_the_reason(void **state)
{
	static const char *const rows[] = {"redis://u:hunter2@h:0",
					   "redis://u:hunter2@h/x",
					   "redis://u:hunter2%zz@h",
					   "redis://u:hunter2@[::1",
					   "redis://hunter2@h",
					   "rediss://u:hunter2@h/x",
					   "unix://u:hunter2@x",
					   "unix://hunter2@/x",
					   "redis+sentinel://:hunter2@a,b",
					   "redis+cluster://:hunter2@a/1"};
	struct redis_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i], "/data", &u, &e), -1);
		assert_null(strstr(e.text, "hunter2"));
	}
}

static void text_that_is_too_long_is_refused_and_text_that_just_fits_is_read(void **state)
{
	static const struct {
		const char *before, *after;
		size_t fits;
	} rows[] = {
		{"unix:///", "", 106},
		{"redis://", "", 255},
		{"redis://:", "@h", 255},
		{"redis://", ":x@h", 127},
		{"redis+sentinel://", ",b/s", 255},
		{"redis+sentinel://a,b/", "?db=1", 127},
	};
	char text[600], filler[300];
	struct redis_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t more = 0; more < 2; more++) {
			size_t n = rows[i].fits + more;

			memset(filler, 'a', n);
			filler[n] = 0;
			snprintf(text, sizeof(text), "%s%s%s", rows[i].before, filler,
				 rows[i].after);
			assert_int_equal(parse(text, "/data", &u, &e), more ? -1 : 0);
		}
	}
}

static void a_data_directory_too_deep_for_a_socket_is_refused(void **state)
{
	char dir[200];
	struct redis_url u;
	struct err e;

	(void)state;
	memset(dir, 'd', sizeof(dir));
	dir[0] = '/';
	dir[96] = 0;
	assert_int_equal(parse("", dir, &u, &e), 0);
	dir[96] = 'd';
	dir[97] = 0;
	assert_int_equal(parse("", dir, &u, &e), -1);
	assert_non_null(strstr(e.text, "POSTERN_DATA_DIR"));
	assert_non_null(strstr(e.text, "108 bytes, at most 107"));
}

static void an_address_is_shown_without_credentials(void **state)
{
	static const char *const rows[][2] = {
		{"redis://u:hunter2@redis.example", "redis.example:6379"},
		{"redis://:hunter2@[::1]:7000/3", "[::1]:7000/3"},
		{"unix:///run/redis.sock", "/run/redis.sock"},
		{"unix://u:hunter2@/run/redis.sock?db=2", "/run/redis.sock?db=2"},
		{"redis+sentinel://:hunter2@a:1,[::1]/s?db=3", "a:1,[::1]:26379/s?db=3"},
		{"", "/data/redis.sock"},
	};
	char address[REDIS_URL_ADDRESS_MAX];
	struct redis_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i][0], "/data", &u, &e), 0);
		redis_url_address(&u, address);
		assert_string_equal(address, rows[i][1]);
	}
}

UNIT_TESTS(cmocka_unit_test(good_urls_are_read),
	   cmocka_unit_test(wrong_urls_are_refused_with_the_reason),
	   cmocka_unit_test(a_password_is_never_in_the_reason),
	   cmocka_unit_test(an_address_is_shown_without_credentials),
	   cmocka_unit_test(text_that_is_too_long_is_refused_and_text_that_just_fits_is_read),
	   cmocka_unit_test(a_data_directory_too_deep_for_a_socket_is_refused))
