/* URLs that may be kept as webhooks, and Retry-After. */
#include "server/fetch/fetch_url.h"

#include <string.h>

#include "server/fetch/fetch.h"
#include "tests/unit/unit.h"

static void urls_are_taken_or_refused(void **state)
{
	static const struct {
		const char *url;
		bool is_public, is_allowed; /* taken; taken with allow_private */
	} cases[] = {
		{"https://shop.example/hooks?a=1&b=%20", true, true},
		{"https://shop.example", true, true},
		{"https://shop.example:8443/", true, true},
		{"https://8.8.8.8/", true, true},
		{"https://[2606:4700::1111]/", true, true},
		{"HTTPS://shop.example/", true, true},
		{"https://xn--bcher-kva.example/", true, true},
		{"http://shop.example/", false, true},
		{"https://shop.example:444/", false, true},
		{"https://127.0.0.1/", false, true},
		{"https://[::1]/", false, true},
		{"https://localhost/", false, true},
		{"https://api.internal/", false, true},
		{"https://host/", false, true},
		{"https://192.168.0.1/", false, true},
		{"https://[::ffff:127.0.0.1]/", false, true},
		{"https://2130706433/", false, false},
		{"https://0x7f000001/", false, false},
		{"https://0x7f.1/", false, false},
		{"https://127.1/", false, false},
		{"https://0177.0.0.1/", false, false},
		{"https://shop.example./", false, false},
		{"https://.example/", false, false},
		{"https://a..example/", false, false},
		{"https://user@shop.example/", false, false},
		{"https://user:pw@shop.example/", false, false},
		{"https://shop.example/#x", false, false},
		{"https://shop.example/a b", false, false},
		{"https://shop.example/a\nb", false, false},
		{"https://shop.example\\@127.0.0.1/", false, false},
		{"https://b\xc3\xbc"
		 "cher.example/",
		 false, false},
		{"https://%6cocalhost/", false, false},
		{"https://shop.example:99999/", false, false},
		{"https://shop.example:x/", false, false},
		{"https://", false, false},
		{"https:///x", false, false},
		{"http://", false, false},
		{"https://[", false, false},
		{"https://[::1", false, false},
		{"http://@shop.example/", false, false},
		{"https://@shop.example/", false, false},
		{"https://[fe80::1%25eth0]/", false, false},
		{"https://[v1.x]/", false, false},
		{"https://shop.example:0/", false, false},
		{"https://shop.example:/", true, true},
		{"https://shop.example:0443/", true, true},
		{"https:/shop.example/", false, false},
		{"https:\\\\shop.example/", false, false},
		{" https://shop.example/", false, false},
		{"https://shop.example/\r\nX: y", false, false},
		{"https://shop.example/\x7f", false, false},
		{"https://metadata.google.internal/", false, true},
		{"https://a.LOCALHOST/", false, true},
		{"https://printer.local/", false, true},
		{"https://0.0.0.0/", false, true},
		{"https://169.254.169.254/", false, true},
		{"https://100.64.0.1/", false, true},
		{"https://[fd00::1]/", false, true},
		{"https://[64:ff9b::7f00:1]/", false, true},
		{"https://[2002:7f00:1::]/", false, true},
		{"https://[2001:0:7f00:1::]/", false, true},
		{"https://[::127.0.0.1]/", false, true},
		{"https://shop.example:25/", false, true},
		{"https://shop.example:6379/", false, true},
		{"https://017700000001/", false, false},
		{"https://0x7f.0.0.0x1/", false, false},
		{"https://127.0.0.1./", false, false},
		{"https://1.2.3/", false, false},
		{"https://127.000.000.001/", false, false},
		{"https://localhost./", false, false},
		{"https://foo@127.0.0.1/", false, false},
		{"https://shop.example%00.test/", false, false},
		{"https://shop.example\t.test/", false, false},
		{"ftp://shop.example/", false, false},
		{"file:///etc/passwd", false, false},
		{"//shop.example/", false, false},
		{"shop.example", false, false},
		{"", false, false},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int allow = 0; allow < 2; allow++) {
			bool want = allow ? cases[i].is_allowed : cases[i].is_public;
			int rc = fetch_url_check(cases[i].url, allow, &e);

			if (rc != (want ? 0 : -1))
				fail_msg("%s (%d): %s", cases[i].url, allow, rc ? e.text : "taken");
			if (rc < 0)
				assert_int_equal(e.kind, ERR_INPUT);
		}
}

static void the_error_names_the_schemes_that_are_allowed(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(fetch_url_check("ftp://shop.example/", false, &e), -1);
	assert_string_equal(e.text, "must begin with https://");
	assert_int_equal(fetch_url_check("ftp://shop.example/", true, &e), -1);
	assert_string_equal(e.text, "must begin with https:// or http://");
}

static void an_international_host_becomes_a_labels(void **state)
{
	static const struct {
		const char *url, *ascii; /* NULL: refused */
	} cases[] = {
		{"https://b\xC3\xBC"
		 "cher.example/hook?a=b",
		 "https://xn--bcher-kva.example/hook?a=b"},
		{"https://B\xC3\x9C"
		 "CHER.example:8443/",
		 "https://xn--bcher-kva.example:8443/"},
		{"https://shop.example/\xC3\xBC", "https://shop.example/\xC3\xBC"},
		{"https://user@b\xC3\xBC"
		 "cher.example/",
		 "https://user@b\xC3\xBC"
		 "cher.example/"},
		{"https://[::1]/", "https://[::1]/"},
		{"b\xC3\xBC"
		 "cher.example",
		 "b\xC3\xBC"
		 "cher.example"},
		{"https://\xC3\xBC/", NULL},
		{"https://\xC3.example/", NULL},
	};
	char out[FETCH_URL_MAX + 1];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fetch_url_to_ascii(cases[i].url, out, &e),
				 cases[i].ascii ? 0 : -1);
		if (cases[i].ascii)
			assert_string_equal(out, cases[i].ascii);
		else
			assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void a_url_has_an_end(void **state)
{
	char url[FETCH_URL_MAX + 20] = "https://shop.example/";
	struct err e;

	(void)state;
	memset(url + strlen(url), 'a', FETCH_URL_MAX - strlen(url));
	assert_int_equal(fetch_url_check(url, false, &e), 0);
	strcat(url, "a");
	assert_int_equal(fetch_url_check(url, false, &e), -1);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0", 0},
		{"120", 120000},
		{"86400", 86400000},
		{"99999999", 86400000},
		{"99999999999999999999", 86400000},
		{"Fri, 31 Dec 1999 23:59:59 GMT", 9000},
		{"Fri, 31 Dec 1999 23:59:40 GMT", 0},
		{"Fri, 31 Dec 2010 23:59:59 GMT", 86400000},
		{"-1", -1},
		{"soon", -1},
		{"", -1},
		{"1.5", -1},
		{"12x", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (fetch_retry_after(cases[i].text, 946684790) != cases[i].ms)
			fail_msg("%s: %lld", cases[i].text,
				 (long long)fetch_retry_after(cases[i].text, 946684790));
}

UNIT_TESTS(cmocka_unit_test(urls_are_taken_or_refused),
	   cmocka_unit_test(the_error_names_the_schemes_that_are_allowed),
	   cmocka_unit_test(an_international_host_becomes_a_labels),
	   cmocka_unit_test(a_url_has_an_end), cmocka_unit_test(retry_after_is_seconds_or_a_date))
