/* The Idempotency-Key header, and the small readers: base64 and spans of time. */
#include <string.h>

#include "server/base/base64.h"
#include "api/json/duration.h"
#include "api/send/idempotency.h"
#include "tests/unit/unit.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X50 X50 X50 X50 X50 "xxxxx"

static void keys_are_taken_or_refused(void **state)
{
	static const struct {
		const char *header;
		bool is_good;
	} cases[] = {
		{"a", true},
		{"order 1001", true},
		{"8e03978e-40d5-43e8-bc93-6894a57f9324", true},
		{"\"quoted\"", true},
		{"\"a \\\" and a \\\\\"", true},
		{"a\"b", true},
		{X255, true},
		{"\"" X255 "\"", true},
		{"", false},
		{"\"\"", false},
		{X255 "x", false},
		{"\"" X255 "x\"", false},
		{"\"no end", false},
		{"\"", false},
		{"\"a\"b", false},
		{"\"a\";p=1", false},
		{"\"a\\b\"", false},
		{"\"a\\", false},
		{"a\tb", false},
		{"a\nb", false},
		{"\xC3\xA4", false},
		{"a\x7F", false},
	};
	char hex[IDEMPOTENCY_HEX];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = idempotency_key(cases[i].header, false, hex, &e);

		if (rc != (cases[i].is_good ? 0 : -1))
			fail_msg("%s", cases[i].header);
		if (rc < 0)
			assert_int_equal(e.kind, ERR_INPUT);
		else
			assert_int_equal(strlen(hex), 32);
	}
}

static void quoted_and_bare_are_the_same_key(void **state)
{
	char bare[IDEMPOTENCY_HEX], quoted[IDEMPOTENCY_HEX], other[IDEMPOTENCY_HEX];

	(void)state;
	assert_int_equal(idempotency_key("a\\\"b", false, bare, NULL), 0);
	assert_int_equal(idempotency_key("\"a\\\\\\\"b\"", false, quoted, NULL), 0);
	assert_string_equal(bare, quoted);
	assert_int_equal(idempotency_key("a\\\"B", false, other, NULL), 0);
	assert_string_not_equal(bare, other);
}

static void a_test_send_never_replays_a_live_one(void **state)
{
	char live[IDEMPOTENCY_HEX], test[IDEMPOTENCY_HEX];

	(void)state;
	assert_int_equal(idempotency_key("k", false, live, NULL), 0);
	assert_int_equal(idempotency_key("k", true, test, NULL), 0);
	assert_string_not_equal(live, test);
}

static void a_fingerprint_is_of_method_path_and_body(void **state)
{
	char a[IDEMPOTENCY_HEX], b[IDEMPOTENCY_HEX];

	(void)state;
	idempotency_fingerprint("POST", "/v1/messages", "{}", 2, a);
	/* printf 'POST\n/v1/messages\n{}' | sha256sum | head -c 32 */
	assert_string_equal(a, "a1b05e7d44b27bc4fe3f577b9aa11d1d");
	idempotency_fingerprint("POST", "/v1/messages", "{ }", 3, b);
	assert_string_not_equal(a, b);
	idempotency_fingerprint("POST", "/v1/message", "{}", 2, b);
	assert_string_not_equal(a, b);
	idempotency_fingerprint("PUT", "/v1/messages", "{}", 2, b);
	assert_string_not_equal(a, b);
}

static void base64_is_strict(void **state)
{
	static const struct {
		const char *text;
		const char *bytes; /* NULL: refused */
	} cases[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"++//", "\xFB\xEF\xFF"},
		{"Zg", NULL},
		{"Zg=", NULL},
		{"Zg===", NULL},
		{"Z===", NULL},
		{"====", NULL},
		{"=", NULL},
		{"==", NULL},
		{"Z", NULL},
		{"Zh==", NULL},
		{"Zm9=", NULL},
		{"Zg==Zg==", NULL},
		{"Zm9v\n", NULL},
		{"Zm9v\r\nYmFy", NULL},
		{" Zm9v", NULL},
		{"Zm 9", NULL},
		{"--__", NULL},
		{"Zm9v!", NULL},
		{"data:text/plain;base64,Zm9v", NULL},
		{"Zm\xC3\xB6", NULL},
	};
	unsigned char out[64];
	struct err e;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = base64_decode(cases[i].text, strlen(cases[i].text), out, &len, &e);

		if (rc != (cases[i].bytes ? 0 : -1))
			fail_msg("%s", cases[i].text);
		if (rc < 0)
			continue;
		assert_int_equal(len, strlen(cases[i].bytes));
		assert_memory_equal(out, cases[i].bytes, len);
	}
}

static void durations_are_bounded(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"60s", 60000},     {"1m", 60000},     {"10m", 600000},
		{"48h", 172800000}, {"5d", 432000000}, {"432000s", 432000000},
		{"432001s", -1},    {"59s", -1},       {"6d", -1},
		{"0m", -1},         {"", -1},          {"m", -1},
		{"10", -1},         {"10 m", -1},      {" 10m", -1},
		{"10m ", -1},       {"+10m", -1},      {"-10m", -1},
		{"1.5h", -1},       {"1e3s", -1},      {"10M", -1},
		{"10w", -1},        {"0000010m", -1},  {"9223372036854775808d", -1},
	};
	struct err e;
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ms = -1;
		int rc = duration_parse(cases[i].text, strlen(cases[i].text), 60, 432000, &ms, &e);

		assert_int_equal(rc, cases[i].ms < 0 ? -1 : 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

UNIT_TESTS(cmocka_unit_test(keys_are_taken_or_refused),
	   cmocka_unit_test(quoted_and_bare_are_the_same_key),
	   cmocka_unit_test(a_test_send_never_replays_a_live_one),
	   cmocka_unit_test(a_fingerprint_is_of_method_path_and_body),
	   cmocka_unit_test(base64_is_strict), cmocka_unit_test(durations_are_bounded))
