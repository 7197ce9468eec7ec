/* Times as the API and as mail write them. */

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "tests/unit/unit.h"

static void times_are_written_as_rfc_3339_and_rfc_5322_say(void **state)
{
	static const struct {
		int64_t ms;
		const char *api, *mail;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
		{951782400123, "2000-02-29T00:00:00.123Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
		{1795421700007, "2026-11-23T08:15:00.007Z", "Mon, 23 Nov 2026 08:15:00 +0000"},
		{253402300799999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char api[CLOCK_RFC3339_LEN], mail[CLOCK_RFC5322_LEN];
		int64_t back = -1;

		clock_rfc3339(cases[i].ms, api);
		clock_rfc5322(cases[i].ms, mail);
		assert_string_equal(api, cases[i].api);
		assert_string_equal(mail, cases[i].mail);
		assert_int_equal(clock_parse_rfc3339(api, &back), 0);
		assert_int_equal(back, cases[i].ms);
	}
}

static void times_are_read_with_any_offset(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00z", 0},
		{"1970-01-01 00:00:01Z", 1000},
		{"1970-01-01T01:00:00+01:00", 0},
		{"1970-01-01T00:00:00-00:30", 1800000},
		{"1970-01-01T00:00:00.5Z", 500},
		{"1970-01-01T00:00:00.1239999Z", 123},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"1970-01-01T00:00:60Z", 60000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -1;

		if (clock_parse_rfc3339(cases[i].text, &ms) < 0 || ms != cases[i].ms)
			fail_msg("%s gave %lld", cases[i].text, (long long)ms);
	}
}

static void text_that_is_not_a_time_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"now",
		"2026-11-23",
		"2026-11-23T08:15:00",
		"2026-11-23T08:15Z",
		"2026-11-23T08:15:00.Z",
		"2026-11-23T08:15:00Zx",
		"2026-11-23T08:15:00+0100",
		"2026-11-23T08:15:00+24:00",
		"2026-11-23T08:15:00+01:60",
		"2026-11-23T08:15:00*01:00",
		"2026-13-23T08:15:00Z",
		"2026-00-23T08:15:00Z",
		"2026-02-30T08:15:00Z",
		"2026-11-23T24:15:00Z",
		"2026-11-23T08:60:00Z",
		"2026-11-23T08:15:61Z",
		"1969-12-31T23:59:59Z",
		"2026-11-23X08:15:00Z",
		" 2026-11-23T08:15:00Z",
		"2026-11-23T08:15:00 Z",
		"2026-1-23T008:15:00Z",
		"2026-11-00T08:15:00Z",
		"2026-11-23T-8:15:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 42;

		if (clock_parse_rfc3339(cases[i], &ms) == 0)
			fail_msg("\"%s\" gave %lld", cases[i], (long long)ms);
		assert_int_equal(ms, 42);
	}
}

static void mail_times_are_english_in_every_locale(void **state)
{
	char mail[CLOCK_RFC5322_LEN];

	(void)state;
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	clock_rfc5322(951782400123, mail);
	assert_string_equal(mail, "Tue, 29 Feb 2000 00:00:00 +0000");
	unsetenv("LC_ALL");
}

static void the_clocks_go_forward_in_their_units(void **state)
{
	int64_t us = clock_mono_us(), ms = clock_mono_ms();

	(void)state;
	assert_true(ms - us / 1000 >= 0 && ms - us / 1000 < 1000);
	assert_true(clock_mono_us() >= us);
	assert_true(clock_real_ms() > 1700000000000);
}

UNIT_TESTS(cmocka_unit_test(times_are_written_as_rfc_3339_and_rfc_5322_say),
	   cmocka_unit_test(times_are_read_with_any_offset),
	   cmocka_unit_test(text_that_is_not_a_time_is_refused),
	   cmocka_unit_test(mail_times_are_english_in_every_locale),
	   cmocka_unit_test(the_clocks_go_forward_in_their_units))
