/* The settings of Redis: which keep the promise of a 202, and what is said when they do not. */
#include "server/redis/settings.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* A good INFO, with one line replaced by another of the same name, or left out when it has no
 * colon. */
static void make_info(char *out, size_t cap, const char *change)
{
	static const char *const lines[] = {
		"# Server",
		"redis_version:7.0.15",
		"loading:0",
		"used_memory:900000000",
		"used_memory_human:900B",
		"maxmemory_human:9G",
		"maxmemory:0",
		"maxmemory_policy:noeviction",
		"aof_enabled:1",
		"aof_last_write_status:ok",
		"role:master",
	};
	size_t name = change ? strcspn(change, ":") : 0, n = 0;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *line = lines[i];

		if (change && strcspn(line, ":") == name && strncmp(line, change, name) == 0)
			line = change[name] ? change : "";
		n += (size_t)snprintf(out + n, cap - n, "%s\r\n", line);
	}
}

static redisReply text_reply(char *text)
{
	return (redisReply){.type = REDIS_REPLY_STRING, .str = text, .len = strlen(text)};
}

struct arranged {
	redisReply parts[6], *list[6], reply;
	char text[6][32];
};

static redisReply *make_settings(struct arranged *s, const char *appendfsync, const char *rewrite)
{
	const char *const texts[4] = {"no-appendfsync-on-rewrite", rewrite, "appendfsync",
				      appendfsync};

	for (size_t i = 0; i < 4; i++) {
		snprintf(s->text[i], sizeof(s->text[i]), "%s", texts[i]);
		s->parts[i] = text_reply(s->text[i]);
		s->list[i] = &s->parts[i];
	}
	s->reply = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 4, .element = s->list};
	return &s->reply;
}

/* Adds one to those of make_settings. */
static void add_setting(struct arranged *s, const char *name, const char *value)
{
	const char *const texts[2] = {name, value};

	for (size_t i = 4; i < 6; i++) {
		snprintf(s->text[i], sizeof(s->text[i]), "%s", texts[i - 4]);
		s->parts[i] = text_reply(s->text[i]);
		s->list[i] = &s->parts[i];
	}
	s->reply.elements = 6;
}

static struct redis_settings check_with(const char *change, const redisReply *config,
					bool may_assume)
{
	char text[1024];
	struct redis_settings c;
	redisReply info;

	make_info(text, sizeof(text), change);
	info = text_reply(text);
	settings_check(&info, config, &(struct settings_wanted){.may_assume = may_assume}, &c);
	return c;
}

static void good_settings_hold(void **state)
{
	struct arranged s;
	struct redis_settings c = check_with(NULL, make_settings(&s, "always", "no"), false);

	(void)state;
	assert_true(c.holds);
	assert_string_equal(c.why, "");
	assert_int_equal(c.memory_bytes, 900000000);
	assert_true(c.is_unlimited);
}

static void each_setting_that_loses_mail_is_named(void **state)
{
	static const struct {
		const char *change, *why;
	} rows[] = {
		{"redis_version:6.2.14", "6.2.14 is too old"},
		{"redis_version", "too old"},
		{"loading:1", "still reading"},
		{"role:slave", "replica"},
		{"role", "replica"},
		{"aof_enabled:0", "appendonly"},
		{"aof_enabled", "(none)"},
		{"maxmemory_policy:allkeys-lru", "allkeys-lru"},
		{"aof_last_write_status:err", "its disk may be full"},
		{"maxmemory:1100000000", "900000000 of 1100000000"},
	};
	struct arranged s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_settings c =
			check_with(rows[i].change, make_settings(&s, "always", "no"), false);

		assert_false(c.holds);
		if (!strstr(c.why, rows[i].why))
			fail_msg("%s: %s", rows[i].change, c.why);
	}
}

static void settings_of_config_are_checked(void **state)
{
	static const struct {
		const char *appendfsync, *rewrite, *why;
	} rows[] = {
		{"everysec", "no", "appendfsync everysec"},
		{"no", "no", "appendfsync no"},
		{"", "no", "appendfsync"},
		{"always", "yes", "no-appendfsync-on-rewrite yes"},
	};
	struct arranged s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_settings c = check_with(
			NULL, make_settings(&s, rows[i].appendfsync, rows[i].rewrite), true);

		assert_false(c.holds);
		if (!strstr(c.why, rows[i].why))
			fail_msg("%s %s: %s", rows[i].appendfsync, rows[i].rewrite, c.why);
	}
}

static void odd_replies_to_config_count_as_wrong_settings(void **state)
{
	redisReply nil = {.type = REDIS_REPLY_NIL}, *list[3] = {&nil, &nil, &nil};
	redisReply odd = {.type = REDIS_REPLY_ARRAY, .elements = 3, .element = list};
	redisReply none = {.type = REDIS_REPLY_ARRAY};

	(void)state;
	assert_false(check_with(NULL, &odd, false).holds);
	assert_false(check_with(NULL, &none, true).holds);
}

static void denied_settings_count_only_when_asserted(void **state)
{
	char text[] = "NOPERM this user has no permissions";
	redisReply denied = {.type = REDIS_REPLY_ERROR, .str = text, .len = sizeof(text) - 1};
	struct redis_settings c = check_with(NULL, &denied, false);

	(void)state;
	assert_false(c.holds);
	assert_non_null(strstr(c.why, "POSTERN_ASSERT_REDIS_SETTINGS"));
	assert_true(check_with(NULL, &denied, true).holds);
	assert_false(check_with("aof_enabled:0", &denied, true).holds);
}

static void the_first_wrong_setting_is_reported(void **state)
{
	struct arranged s;
	struct redis_settings c =
		check_with("loading:1", make_settings(&s, "everysec", "yes"), false);

	(void)state;
	assert_non_null(strstr(c.why, "loading"));
}

static void memory_holds_below_the_mark_and_a_limit_is_no_warning(void **state)
{
	static const struct {
		const char *limit;
		bool holds;
	} rows[] = {{"maxmemory:10000000000", true},
		    {"maxmemory:1130000000", true},
		    {"maxmemory:900000000", false},
		    {"maxmemory:1", false}};
	struct arranged s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_settings c =
			check_with(rows[i].limit, make_settings(&s, "always", "no"), false);

		assert_int_equal(c.holds, rows[i].holds);
		assert_false(c.is_unlimited);
	}
}

static void newer_and_unreadable_info_texts_do_no_harm(void **state)
{
	struct arranged s;
	redisReply *config = make_settings(&s, "always", "no"), info;
	char empty[] = "", odd[] = "redis_version";
	char longer[600] = "redis_version:8.";
	struct redis_settings c;

	(void)state;
	assert_true(check_with("redis_version:10.1", config, false).holds);
	assert_true(check_with("redis_version:8.0.0-rc1", config, false).holds);
	info = text_reply(empty);
	settings_check(&info, config, &(struct settings_wanted){0}, &c);
	assert_false(c.holds);
	info = text_reply(odd);
	settings_check(&info, config, &(struct settings_wanted){0}, &c);
	assert_false(c.holds);
	memset(longer + 16, '9', sizeof(longer) - 17);
	info = text_reply(longer);
	settings_check(&info, config, &(struct settings_wanted){0}, &c);
	assert_false(c.holds);
	info = (redisReply){.type = REDIS_REPLY_NIL};
	settings_check(&info, config, &(struct settings_wanted){0}, &c);
	assert_false(c.holds);
}

/* Good settings of CONFIG, and an INFO with this line at its end. */
static redisReply *with_info_line(struct arranged *s, const char *line, redisReply *info)
{
	static char text[1200];

	make_info(text, sizeof(text), NULL);
	strcat(text, line);
	*info = text_reply(text);
	return make_settings(s, "always", "no");
}

static void a_replica_must_be_in_step_and_be_asked_for(void **state)
{
	static const struct {
		const char *replica, *wanted, *why;
	} rows[] = {
		{"slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0", "1", ""},
		{"slave0:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0", "1",
		 "no replica"},
		{"slave0:ip=10.0.0.2,port=6379,state=send_bulk,offset=0,lag=0", "1", "no replica"},
		{"", "1", "no replica"},
		{"slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0", "0",
		 "min-replicas-to-write 0"},
	};
	struct arranged s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		redisReply info, *config = with_info_line(&s, rows[i].replica, &info);
		struct redis_settings c;

		add_setting(&s, "min-replicas-to-write", rows[i].wanted);
		settings_check(&info, config, &(struct settings_wanted){.needs_replica = true}, &c);
		if (c.holds == (*rows[i].why != 0) || !strstr(c.why, rows[i].why))
			fail_msg("%s, %s: %s", rows[i].replica, rows[i].wanted, c.why);
		settings_check(&info, config, &(struct settings_wanted){0}, &c);
		assert_true(c.holds);
	}
}

static void a_cluster_needs_its_own_url_and_a_single_redis_too(void **state)
{
	static const struct {
		const char *line;
		bool is_cluster;
		const char *why;
	} rows[] = {
		{"cluster_enabled:0\r\n", false, ""},
		{"cluster_enabled:1\r\n", true, ""},
		{"", false, ""}, /* some services do not show it */
		{"", true, ""},
		{"cluster_enabled:1\r\n", false, "node of a cluster: write redis+cluster://"},
		{"cluster_enabled:0\r\n", true, "not in cluster mode: write redis://"},
	};
	struct arranged s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		redisReply info, *config = with_info_line(&s, rows[i].line, &info);
		struct redis_settings c;

		settings_check(&info, config,
			       &(struct settings_wanted){.is_cluster = rows[i].is_cluster}, &c);
		if (c.is_able == (*rows[i].why != 0) || !strstr(c.why, rows[i].why))
			fail_msg("%s, %d: %s", rows[i].line, rows[i].is_cluster, c.why);
	}
}

static void a_cluster_that_stops_as_a_whole_is_noticed(void **state)
{
	struct arranged s;
	redisReply *config = make_settings(&s, "always", "no");

	(void)state;
	assert_false(check_with(NULL, config, false).stops_whole);
	add_setting(&s, "cluster-require-full-coverage", "yes");
	assert_true(check_with(NULL, config, false).stops_whole);
	assert_true(check_with(NULL, config, false).holds);
}

UNIT_TESTS(cmocka_unit_test(good_settings_hold),
	   cmocka_unit_test(a_cluster_needs_its_own_url_and_a_single_redis_too),
	   cmocka_unit_test(a_cluster_that_stops_as_a_whole_is_noticed),
	   cmocka_unit_test(a_replica_must_be_in_step_and_be_asked_for),
	   cmocka_unit_test(each_setting_that_loses_mail_is_named),
	   cmocka_unit_test(settings_of_config_are_checked),
	   cmocka_unit_test(odd_replies_to_config_count_as_wrong_settings),
	   cmocka_unit_test(denied_settings_count_only_when_asserted),
	   cmocka_unit_test(the_first_wrong_setting_is_reported),
	   cmocka_unit_test(memory_holds_below_the_mark_and_a_limit_is_no_warning),
	   cmocka_unit_test(newer_and_unreadable_info_texts_do_no_harm))
