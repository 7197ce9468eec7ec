/* The URL of the smarthost: what is read, what is refused, and that no fault tells the password. */
#include "server/route/relay_url.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

struct good {
	const char *url;
	const char *host;
	uint16_t port;
	bool is_implicit_tls;
	bool is_address;
	const char *user, *password; /* NULL: none */
};

static const struct good good[] = {
	{"smtp://mail.example.net", "mail.example.net", 25, false, false, NULL, NULL},
	{"smtp://mail.example.net/", "mail.example.net", 25, false, false, NULL, NULL},
	{"smtp://u:p@mail.example.net", "mail.example.net", 587, false, false, "u", "p"},
	{"smtps://u:p@mail.example.net", "mail.example.net", 465, true, false, "u", "p"},
	{"SMTPS://Mail.Example.NET.", "mail.example.net", 465, true, false, NULL, NULL},
	{"smtp://localhost:2525", "localhost", 2525, false, false, NULL, NULL},
	{"smtp://mail_pit:1025", "mail_pit", 1025, false, false, NULL, NULL},
	{"smtp://127.0.0.1:65535", "127.0.0.1", 65535, false, true, NULL, NULL},
	{"smtp://[::1]", "::1", 25, false, true, NULL, NULL},
	{"smtp://[2001:DB8::1]:26", "2001:db8::1", 26, false, true, NULL, NULL},
	{"smtp://me%40example.com:p%3a%2F%25%20w@h", "h", 587, false, false, "me@example.com",
	 "p:/% w"},
	{"smtp://me@example.com:p@w@h:1", "h", 1, false, false, "me@example.com", "p@w"},
	{"smtp://me:a@b/c:d@h:1", "h", 1, false, false, "me", "a@b/c:d"},
};

static void good_urls_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		const struct good *g = &good[i];
		struct relay_url u;
		struct err e = {0};

		if (relay_url_parse(g->url, &u, &e) < 0)
			fail_msg("%s: %s", g->url, e.text);
		assert_string_equal(u.host, g->host);
		assert_int_equal(u.port, g->port);
		assert_int_equal(u.is_implicit_tls, g->is_implicit_tls);
		assert_int_equal(u.is_address, g->is_address);
		assert_int_equal(u.has_user, g->user != NULL);
		if (g->user) {
			assert_string_equal(u.user, g->user);
			assert_string_equal(u.password, g->password);
		}
		relay_url_wipe(&u);
		assert_int_equal(u.password[0], 0);
	}
}

static void a_user_means_verified_tls_unless_the_url_says_otherwise(void **state)
{
	static const struct {
		const char *url;
		enum relay_url_tls tls;
	} cases[] = {
		{"smtp://h", RELAY_URL_TLS_POLICY},
		{"smtp://h/", RELAY_URL_TLS_POLICY},
		{"smtp://u:p@h", RELAY_URL_TLS_VERIFIED},
		{"smtp://u:p@127.0.0.1:1", RELAY_URL_TLS_VERIFIED},
		{"smtps://h", RELAY_URL_TLS_VERIFIED},
		{"smtp://h?tls=verified", RELAY_URL_TLS_VERIFIED},
		{"smtp://u:p@h:1/?tls=unverified", RELAY_URL_TLS_UNVERIFIED},
		{"smtps://u:p@[::1]?tls=unverified", RELAY_URL_TLS_UNVERIFIED},
		{"smtp://u:p@h?tls=opportunistic", RELAY_URL_TLS_OPPORTUNISTIC},
		{"smtp://u:p?tls=opportunistic@h", RELAY_URL_TLS_VERIFIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct relay_url u;
		struct err e = {0};

		if (relay_url_parse(cases[i].url, &u, &e) < 0)
			fail_msg("%s: %s", cases[i].url, e.text);
		if (u.tls != cases[i].tls)
			fail_msg("%s: %d", cases[i].url, (int)u.tls);
	}
}

static const struct {
	const char *url;
	const char *says;
} bad[] = {
	{"", "begin with"},
	{"http://h", "begin with"},
	{"smtp:/h", "begin with"},
	{"mail.example.net:25", "begin with"},
	{"smtp://", "host is missing"},
	{"smtp://.", "host is missing"},
	{"smtp://u:secret@", "host is missing"},
	{"smtp://user@h", "needs a password"},
	{"smtp://:secret@h", "user is empty"},
	{"smtp://u:@h", "password is empty"},
	{"smtp://u:secret%@h", "two hex digits"},
	{"smtp://u:secret%2@h", "two hex digits"},
	{"smtp://u:secret%zz@h", "two hex digits"},
	{"smtp://u:secret%00@h", "control"},
	{"smtp://u%0d%0aX:secret@h", "control"},
	{"smtp://h:0", "port"},
	{"smtp://h:65536", "port"},
	{"smtp://h:999999999999", "port"},
	{"smtp://h:", "port"},
	{"smtp://h:-1", "port"},
	{"smtp://h:25x", "may follow"},
	{"smtp://h/path", "may follow"},
	{"smtp://h:25?tls=no", "may follow"},
	{"smtp://h?tls=", "may follow"},
	{"smtp://h?tls=verified&x=1", "may follow"},
	{"smtp://h?TLS=verified", "may follow"},
	{"smtp://u:secret@h?tls=off", "may follow"},
	{"smtps://u:secret@h?tls=opportunistic", "always uses TLS"},
	{"smtp://[::1", "without ]"},
	{"smtp://[]", "host is missing"},
	{"smtp://[10.0.0.1]", "no IPv6 address"},
	{"smtp://[::1]x", "may follow"},
	{"smtp://::1", "host is missing"},
	{"smtp://1.2.3.4.5", "neither a name"},
	{"smtp://300.1.1.1", "neither a name"},
	{"smtp://a..b", "neither a name"},
	{"smtp://h h", "neither a name"},
	{"smtp://h\nx", "neither a name"},
	{"smtp://m\xc3\xbcller.example", "neither a name"},
};

static void bad_urls_are_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct relay_url u = {.port = 7};
		struct err e = {0};

		if (relay_url_parse(bad[i].url, &u, &e) == 0)
			fail_msg("accepted: %s", bad[i].url);
		assert_int_equal(e.kind, ERR_INPUT);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: %s", bad[i].url, e.text);
		assert_null(strstr(e.text, "secret"));
		assert_int_equal(u.port, 7);
	}
}

static void lengths_are_bounded(void **state)
{
	char url[8192];
	struct relay_url u;
	struct err e;

	(void)state;
	snprintf(url, sizeof(url), "smtp://u:%0512d@h", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), 0);
	assert_int_equal(strlen(u.password), RELAY_URL_PASSWORD_MAX);
	snprintf(url, sizeof(url), "smtp://u:%0513d@h", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), -1);
	snprintf(url, sizeof(url), "smtp://%0321d:p@h", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), -1);
	snprintf(url, sizeof(url), "smtp://%0254da", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), -1);
	snprintf(url, sizeof(url), "smtp://%064da", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), -1);
	snprintf(url, sizeof(url), "smtp://%08000d", 1);
	assert_int_equal(relay_url_parse(url, &u, &e), -1);
}

UNIT_TESTS(cmocka_unit_test(good_urls_are_read),
	   cmocka_unit_test(a_user_means_verified_tls_unless_the_url_says_otherwise),
	   cmocka_unit_test(bad_urls_are_refused_with_a_reason),
	   cmocka_unit_test(lengths_are_bounded))
