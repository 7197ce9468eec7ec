/* Settings: where values come from, and the sentence when one is wrong. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/config/config.h"
#include "server/config/config_table.h"
#include "server/base/log.h"
#include "tests/unit/unit.h"

#define FILE_NAME "test.yaml"

extern char **environ;

static char dir[] = "/tmp/postern-config-XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static int clear(void **state)
{
	(void)state;
	for (;;) {
		char name[128];
		char **p = environ;

		while (*p && strncmp(*p, "POSTERN_", 8) != 0)
			p++;
		if (!*p)
			break;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*p, "="), *p);
		unsetenv(name);
	}
	unlink(FILE_NAME);
	unlink("postern.yaml");
	return 0;
}

static int enter_dir(void **state)
{
	(void)state;
	clear(NULL);
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int leave_dir(void **state)
{
	clear(state);
	unlink("secret");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static struct config *load(const char *file)
{
	struct config *c = NULL;
	struct err e = {0};

	if (config_load(&c, file, &e) < 0)
		fail_msg("config_load: %s", e.text);
	return c;
}

static void refuses(const char *file, const char *sentence)
{
	struct config *c = NULL;
	struct err e = {0};

	assert_int_equal(config_load(&c, file, &e), -1);
	assert_null(c);
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, sentence))
		fail_msg("\"%s\" was expected in: %s", sentence, e.text);
}

static void without_anything_the_defaults_hold(void **state)
{
	struct config *c = load(NULL);

	(void)state;
	assert_string_equal(c->listen, "127.0.0.1:8080");
	assert_string_equal(c->redis_url, "");
	assert_int_equal(c->smtp_port, 25);
	assert_int_equal(c->roles, ROLE_API | ROLE_RELAY | ROLE_KEEPER | ROLE_HOOKS);
	assert_int_equal(c->durability, DURABILITY_FSYNC);
	assert_false(c->mx_allow_private);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_int_equal(c->max_recipients, 50);
	assert_int_equal(c->max_message_bytes, 10 << 20);
	assert_int_equal(c->idempotency_s, 86400);
	assert_int_equal(c->retention_s, 3 * 86400);
	assert_int_equal(c->default_deadline_s, 48 * 3600);
	assert_int_equal(c->drain_s, 30);
	assert_int_equal(c->partitions, 1);
	assert_int_equal(c->retry_first_otp_s, 60);
	assert_int_equal(c->retry_first_s, 300);
	assert_int_equal(c->retry_max_s, 4 * 3600);
	config_free(c);
}

static void the_file_wins_over_defaults_and_the_environment_over_the_file(void **state)
{
	struct config *c;

	(void)state;
	write_file("postern.yaml", "listen: 0.0.0.0:1\ndrain_s: 5\nlog_level: debug\n");
	setenv("POSTERN_DRAIN_S", "7", 1);
	c = load(NULL);
	assert_string_equal(c->listen, "0.0.0.0:1");
	assert_int_equal(c->drain_s, 7);
	assert_int_equal(c->log_level, LOG_DEBUG);
	config_free(c);
}

static void an_empty_value_means_the_default(void **state)
{
	struct config *c;

	(void)state;
	write_file("postern.yaml", "relay_url: smtp://a\nlisten: 0.0.0.0:1\ndrain_s: 5\n");
	setenv("POSTERN_RELAY_URL", "", 1);
	setenv("POSTERN_DRAIN_S", "", 1);
	c = load(NULL);
	assert_string_equal(c->relay_url, "");
	assert_int_equal(c->drain_s, 30);
	assert_string_equal(c->listen, "0.0.0.0:1");
	config_free(c);
}

static void presets_are_defaults(void **state)
{
	static const struct config_preset presets[] = {
		{"workers_api", "1"}, {"log_level", "warn"}, {NULL, NULL}};
	struct config *c = NULL;

	(void)state;
	setenv("POSTERN_LOG_LEVEL", "error", 1);
	assert_int_equal(config_load_preset(&c, NULL, presets, NULL), 0);
	assert_int_equal(c->workers_api, 1);
	assert_int_equal(c->log_level, LOG_ERROR);
	config_free(c);
}

static void values_are_read_by_their_type(void **state)
{
	static const struct {
		const char *name, *text;
		int64_t want; /* -1: refused */
	} cases[] = {
		{"drain_s", "30", 30},
		{"drain_s", "30s", 30},
		{"drain_s", "10m", 600},
		{"drain_s", "1h", 3600},
		{"drain_s", "2h", -1},
		{"drain_s", "0", 0},
		{"drain_s", "-1", -1},
		{"drain_s", "+1", -1},
		{"drain_s", "1.5h", -1},
		{"drain_s", "10 m", 600},
		{"drain_s", "10x", -1},
		{"drain_s", "m", -1},
		{"drain_s", "99999999999999999999", -1},
		{"retention_s", "3d", 259200},
		{"retention_s", "213503982334602d", -1},
		{"max_message_bytes", "10MB", 10485760},
		{"max_message_bytes", "500kb", 512000},
		{"max_message_bytes", "20 MiB", 20971520},
		{"max_message_bytes", "26MB", -1},
		{"max_message_bytes", "10M B", -1},
		{"max_message_bytes", "8192", 8192},
		{"smtp_port", "2525", 2525},
		{"smtp_port", "0", -1},
		{"smtp_port", "65536", -1},
		{"smtp_port", "25s", -1},
		{"smtp_port", "0x19", -1},
		{"smtp_port", " 25", -1},
		{"smtp_port", "25 ", 25},
		{"tls_policy", "required", TLS_REQUIRED},
		{"tls_policy", "Required", TLS_REQUIRED},
		{"tls_policy", "require", -1},
		{"log_level", "warn", LOG_WARN},
		{"log_level", "warning", -1},
		{"roles", "api", ROLE_API},
		{"roles", "api,relay", ROLE_API | ROLE_RELAY},
		{"roles", "relay, keeper", ROLE_RELAY | ROLE_KEEPER},
		{"roles", "api,smtp", -1},
		{"roles", ",", -1},
		{"roles", "hooks", ROLE_HOOKS},
		{"roles", "mailer", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config_row *row = config_row_find(cases[i].name);
		struct config c = {0};
		struct err e = {0};
		int64_t got = -1;

		assert_non_null(row);
		if (config_value_set(row, cases[i].text, &c, &e) == 0)
			memcpy(&got, (const char *)&c + row->offset, sizeof(got));
		else
			assert_non_null(strstr(e.text, "expected"));
		if (got != cases[i].want)
			fail_msg("%s: \"%s\" gave %lld", cases[i].name, cases[i].text,
				 (long long)got);
	}
}

static void yes_is_true_and_no_is_false(void **state)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {{"true", 1}, {"yes", 1}, {"1", 1},  {"YES", 1},     {"false", 0}, {"no", 0},
		     {"0", 0},    {"on", -1}, {"2", -1}, {"truely", -1}, {"y", -1}};
	const struct config_row *row = config_row_find("mx_allow_private");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c = {.mx_allow_private = !cases[i].want};
		int status = config_value_set(row, cases[i].text, &c, NULL);

		assert_int_equal(status, cases[i].want < 0 ? -1 : 0);
		if (cases[i].want >= 0)
			assert_int_equal(c.mx_allow_private, cases[i].want);
	}
}

static void texts_are_checked(void **state)
{
	static const struct {
		const char *name, *text;
		bool is_good;
	} cases[] = {
		{"redis_url", "redis://localhost", true},
		{"redis_url", "unix:///run/redis.sock", true},
		{"redis_url", "localhost:6379", false},
		{"redis_url", "unix://run/redis.sock", false},
		{"relay_url", "smtps://u:p@smtp.example.com:465", true},
		{"relay_url", "smtp.example.com", false},
		{"helo_name", "mail.example.com", true},
		{"helo_name", "[192.0.2.1]", true},
		{"helo_name", "[IPv6:2001:db8::1]", true},
		{"helo_name", "15b0717dc4c2", false},
		{"helo_name", "localhost", false},
		{"helo_name", "192.0.2.1", false},
		{"helo_name", "[192.0.2.1", false},
		{"helo_name", "mail example", false},
		{"bounce_domain", "bounce.example.com", true},
		{"bounce_domain", "bounce..example.com", false},
		{"bounce_domain", "-a.example.com", false},
		{"bounce_domain", "example.com.", false},
		{"bounce_domain", "b\xc3\xbc.example", false},
		{"root_key", "0123456789abcdef01234567", true},
		{"root_key", "short", false},
		{"root_key", "0123456789abcdef 01234567", false},
		{"secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
		{"secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true},
		{"secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
		{"secret", "AAAA", false},
		{"listen", "a\nb", false},
		{"data_dir", "a\x1b[2J", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c = {0};
		int status =
			config_value_set(config_row_find(cases[i].name), cases[i].text, &c, NULL);

		if (status != (cases[i].is_good ? 0 : -1))
			fail_msg("%s: \"%s\"", cases[i].name, cases[i].text);
	}
}

static void errors_of_the_file_name_file_and_line(void **state)
{
	static const struct {
		const char *yaml, *sentence;
	} cases[] = {
		{"listen: a:1\n\nlisten_addr: x\n",
		 "test.yaml:3: listen_addr: unknown key; did you mean listen?"},
		{"log_levle: info\n",
		 "test.yaml:1: log_levle: unknown key; did you mean log_level?"},
		{"zzzzzz: 1\n", "test.yaml:1: zzzzzz: unknown key; `postern config table`"},
		{"# c\nsmtp_port: many\n",
		 "test.yaml:2: smtp_port: \"many\" is refused: a whole number from 1 to 65535"},
		{"drain_s: 1\ndrain_s: 2\n",
		 "test.yaml:2: drain_s: duplicate key, first in line 1"},
		{"drain_s: [1]\n", "test.yaml:1: drain_s: one plain value is expected"},
		{"drain_s:\n  a: 1\n", "drain_s: one plain value is expected"},
		{"roles:\n- api\n", "roles: one plain value is expected"},
		{"- listen\n", "test.yaml:1: lines like"},
		{"listen\n", "test.yaml:1: lines like"},
		{"listen: \"a\n", "test.yaml:2: not valid YAML"},
		{"listen: a:1\n\tdrain_s: 1\n", "test.yaml:2: not valid YAML"},
		{"{: :\n", "test.yaml:1: "},
		{"listen: &a x:1\nhelo_name: *a\n", "test.yaml:2: helo_name: one plain value"},
		{"listen: a:1\n---\nlisten: b:1\n",
		 "test.yaml:2: only one YAML document is allowed"},
		{"listen: \"a\\0b\"\n", "test.yaml:1: listen: the value contains a NUL character"},
		{"? [a]\n: b\n", "test.yaml:1: a key is expected"},
		{"drain_s: 5\nretention_s: 1h\n", "retention_s: must be at least idempotency_s"},
		{"redis_url: localhost\n",
		 "test.yaml:1: redis_url: the value is refused: redis://"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(FILE_NAME, cases[i].yaml);
		refuses(FILE_NAME, cases[i].sentence);
	}
}

static void null_means_not_set(void **state)
{
	static const char *const nulls[] = {"", "null", "~", "Null", "NULL"};
	struct config *c;
	char yaml[100];

	(void)state;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		snprintf(yaml, sizeof(yaml), "helo_name: %s\ndrain_s: %s\n", nulls[i], nulls[i]);
		write_file(FILE_NAME, yaml);
		assert_int_equal(config_load(&c, FILE_NAME, NULL), 0);
		assert_string_equal(c->helo_name, "");
		assert_true(c->drain_s > 0);
		config_free(c);
	}
	/* In quotes it is a word. */
	write_file(FILE_NAME, "data_dir: \"null\"\n");
	assert_int_equal(config_load(&c, FILE_NAME, NULL), 0);
	assert_string_equal(c->data_dir, "null");
	config_free(c);
}

static void a_file_without_settings_is_fine(void **state)
{
	static const char *const cases[] = {"", "# nothing\n", "---\n", "{}\n", "---\n{}\n...\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(FILE_NAME, cases[i]);
		if (i == 2) { /* a null document is no mapping, and its line says so */
			refuses(FILE_NAME, "lines like");
			continue;
		}
		config_free(load(FILE_NAME));
	}
}

static void a_file_that_is_named_must_be_there(void **state)
{
	(void)state;
	refuses("absent.yaml", "absent.yaml: No such file");
	refuses("/", "/: Is a directory");
}

static void errors_of_the_environment_name_the_variable(void **state)
{
	static const struct {
		const char *name, *text, *sentence;
	} cases[] = {
		{"POSTERN_LISTN", "x",
		 "POSTERN_LISTN: unknown setting; did you mean POSTERN_LISTEN?"},
		{"POSTERN_REDIS", "x", "did you mean POSTERN_REDIS_URL?"},
		{"POSTERN_QQQQQQ", "x", "POSTERN_QQQQQQ: unknown setting; `postern config table`"},
		{"POSTERN_listen", "x", "POSTERN_listen: unknown setting"},
		{"POSTERN_LISTEN_FILE", "x", "POSTERN_LISTEN_FILE: unknown setting"},
		{"POSTERN_", "x", "POSTERN_: unknown setting"},
		{"POSTERN_SMTP_PORT", "x", "POSTERN_SMTP_PORT: \"x\" is refused: a whole number"},
		{"POSTERN_ROLES", "api", "roles: a subset needs redis_url"},
		{"POSTERN_TLS_KEY", "k", "tls_cert and tls_key: set both or neither"},
		{"POSTERN_DKIM_KEY", "k", "dkim_key, dkim_domain and dkim_selector: set all three"},
		{"POSTERN_RETRY_MAX_S", "10s", "retry_max_s: must be at least"},
		{"POSTERN_MAX_BODY_BYTES", "1MB", "max_body_bytes: must be at least"},
		{"POSTERN_ROOT_KEY_FILE", "absent", "POSTERN_ROOT_KEY_FILE: absent: No such file"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv(cases[i].name, cases[i].text, 1);
		refuses(NULL, cases[i].sentence);
		unsetenv(cases[i].name);
	}
}

static void the_variables_that_kubernetes_sets_for_services_are_no_settings(void **state)
{
	static const char *const variables[][2] = {
		/* of services called postern, postern-redis, postern-api and postern-smtp */
		{"POSTERN_PORT", "tcp://10.0.0.1:8080"},
		{"POSTERN_PORT_8080_TCP", "tcp://10.0.0.1:8080"},
		{"POSTERN_PORT_8080_TCP_ADDR", "10.0.0.1"},
		{"POSTERN_SERVICE_HOST", "10.0.0.1"},
		{"POSTERN_SERVICE_PORT_HTTP", "8080"},
		{"POSTERN_REDIS_SERVICE_HOST", "fd00::1"},
		{"POSTERN_REDIS_SERVICE_PORT", "6379"},
		{"POSTERN_REDIS_SERVICE_PORT_REDIS", "6379"},
		{"POSTERN_REDIS_PORT", "tcp://10.0.0.1:6379"},
		{"POSTERN_REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"},
		{"POSTERN_REDIS_PORT_6379_TCP_PROTO", "tcp"},
		{"POSTERN_REDIS_PORT_6379_TCP_PORT", "6379"},
		{"POSTERN_REDIS_PORT_6379_TCP_ADDR", "10.0.0.1"},
		{"POSTERN_API_PORT_53_UDP", "udp://10.0.0.1:53"},
		{"POSTERN_API_PORT_53_SCTP_ADDR", "10.0.0.1"},
		{"POSTERN_SMTP_PORT", "tcp://10.0.0.1:25"},
		{"POSTERN_A_SERVICE_WITH_A_NAME_OF_SIXTY_THREE_CHARACTERS_IN_ALL_X_PORT_6379_TCP_"
		 "ADDR",
		 "10.0.0.1"},
	};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		setenv(variables[i][0], variables[i][1], 1);
	c = load(NULL);
	assert_int_equal(c->smtp_port, 25);
	config_free(c);
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		unsetenv(variables[i][0]);
}

static void the_variables_of_the_examples_for_clients_are_no_settings(void **state)
{
	struct config *c;

	(void)state;
	setenv("POSTERN_URL", "http://127.0.0.1:8080", 1);
	setenv("POSTERN_KEY", "pn_test_1", 1);
	c = load(NULL);
	assert_string_equal(c->redis_url, "");
	config_free(c);
	unsetenv("POSTERN_URL");
	unsetenv("POSTERN_KEY");
}

static void variables_that_only_look_like_those_of_kubernetes_are_refused(void **state)
{
	static const char *const variables[][2] = {
		{"POSTERN_PORT", "8080"},        {"POSTERN_REDIS_PORT", "6379"},
		{"POSTERN_PORT_NUMBER", "8080"}, {"POSTERN_SERVICE_HOSTS", "10.0.0.1"},
		{"POSTERN_SERVICE", "x"},        {"POSTERN_SMTP_PORT", "tcp"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		setenv(variables[i][0], variables[i][1], 1);
		refuses(NULL, variables[i][0]);
		unsetenv(variables[i][0]);
	}
}

static void secrets_come_from_files_too(void **state)
{
	struct config *c;

	(void)state;
	write_file("secret", "redis://:pass@h\r\n\n");
	setenv("POSTERN_REDIS_URL_FILE", "secret", 1);
	c = load(NULL);
	assert_string_equal(c->redis_url, "redis://:pass@h");
	config_free(c);
	setenv("POSTERN_REDIS_URL", "redis://h", 1);
	refuses(NULL, "POSTERN_REDIS_URL and POSTERN_REDIS_URL_FILE: set only one of them");
}

#define CANARY "canary7canary7canary7canary7"

static void secrets_are_never_shown(void **state)
{
	struct config *c;
	struct buf out = {0};
	struct err e = {0};

	(void)state;
	setenv("POSTERN_ROOT_KEY", CANARY, 1);
	setenv("POSTERN_REDIS_URL", "redis://user:" CANARY "@h:1/2", 1);
	setenv("POSTERN_RELAY_URL", "smtp://us:er:" CANARY "@p@ss@h", 1);
	c = load(NULL);
	config_show(c, &out);
	assert_null(strstr(buf_text(&out), CANARY));
	assert_non_null(strstr(buf_text(&out), "root_key: \"********\" # POSTERN_ROOT_KEY\n"));
	assert_non_null(strstr(buf_text(&out), "redis_url: \"redis://user:********@h:1/2\""));
	assert_non_null(strstr(buf_text(&out), "relay_url: \"smtp://us:********@h\""));
	buf_deinit(&out);
	config_free(c);
	setenv("POSTERN_SECRET", CANARY, 1);
	assert_int_equal(config_load(&c, NULL, &e), -1);
	assert_null(strstr(e.text, CANARY));
}

static void secrets_leave_the_environment(void **state)
{
	char entry[] = "POSTERN_ROOT_KEY=" CANARY;
	struct config *c;

	(void)state;
	putenv(entry);
	setenv("POSTERN_LISTEN", "127.0.0.1:1", 1);
	c = load(NULL);
	config_forget_environment();
	assert_null(getenv("POSTERN_ROOT_KEY"));
	assert_non_null(getenv("POSTERN_LISTEN"));
	assert_null(strstr(entry + 17, "canary"));
	assert_int_equal(entry[17], 0);
	assert_string_equal(c->root_key, CANARY);
	config_free(c);
}

static void the_output_of_show_can_be_read_again(void **state)
{
	struct config *c, *again;
	struct buf out = {0}, second = {0};

	(void)state;
	setenv("POSTERN_HELO_NAME", "mail.example.com", 1);
	setenv("POSTERN_DATA_DIR", "a \"quoted\" \\ name: # x", 1);
	setenv("POSTERN_DRAIN_S", "5m", 1);
	c = load(NULL);
	config_show(c, &out);
	assert_non_null(strstr(buf_text(&out), "drain_s: 5m # POSTERN_DRAIN_S\n"));
	assert_non_null(strstr(buf_text(&out), "smtp_port: 25 # default\n"));
	clear(NULL);
	write_file(FILE_NAME, buf_text(&out));
	again = load(FILE_NAME);
	config_show(again, &second);
	assert_string_equal(again->data_dir, "a \"quoted\" \\ name: # x");
	assert_int_equal(again->drain_s, 300);
	assert_non_null(strstr(buf_text(&second), "drain_s: 5m # test.yaml:"));
	buf_deinit(&out);
	buf_deinit(&second);
	config_free(c);
	config_free(again);
}

/* Each row fills a field of its own, and its default passes its own checks. */
static void the_table_is_sound(void **state)
{
	struct buf out = {0};

	(void)state;
	config_table(&out);
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];
		struct config c = {0};
		char env[128] = "`POSTERN_";

		assert_int_equal(config_value_set(row, row->standard, &c, NULL), 0);
		assert_true(strlen(row->name) < CONFIG_NAME_MAX);
		assert_int_equal(row->help[strlen(row->help) - 1], '.');
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(row->name, config_rows[k].name);
			assert_int_not_equal(row->offset, config_rows[k].offset);
		}
		strcat(env, row->name);
		for (char *p = env; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		assert_non_null(strstr(buf_text(&out), env));
	}
	buf_deinit(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

UNIT_TESTS_IN(enter_dir, leave_dir, TEST(without_anything_the_defaults_hold),
	      TEST(the_file_wins_over_defaults_and_the_environment_over_the_file),
	      TEST(an_empty_value_means_the_default), TEST(presets_are_defaults),
	      TEST(values_are_read_by_their_type), TEST(yes_is_true_and_no_is_false),
	      TEST(texts_are_checked), TEST(errors_of_the_file_name_file_and_line),
	      TEST(null_means_not_set), TEST(a_file_without_settings_is_fine),
	      TEST(a_file_that_is_named_must_be_there),
	      TEST(errors_of_the_environment_name_the_variable),
	      TEST(the_variables_that_kubernetes_sets_for_services_are_no_settings),
	      TEST(the_variables_of_the_examples_for_clients_are_no_settings),
	      TEST(variables_that_only_look_like_those_of_kubernetes_are_refused),
	      TEST(secrets_come_from_files_too), TEST(secrets_are_never_shown),
	      TEST(secrets_leave_the_environment), TEST(the_output_of_show_can_be_read_again),
	      TEST(the_table_is_sound))
