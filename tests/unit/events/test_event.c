/* Ids and filters of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/events/event.h"

static void filters_fit_types(void **state)
{
	(void)state;
	assert_true(event_filter_fits("*", "delivered"));
	assert_true(event_filter_fits("message.*", "delivered"));
	assert_true(event_filter_fits("message.de*", "deferred"));
	assert_true(event_filter_fits("message.delivered", "delivered"));
	assert_false(event_filter_fits("message.delivered", "deferred"));
	assert_false(event_filter_fits("message.deliver", "delivered"));
	assert_false(event_filter_fits("domain.*", "delivered"));
	assert_false(event_filter_fits("", "delivered"));
	assert_true(event_filter_is_known("message.failed"));
	assert_false(event_filter_is_known("message.sent"));
	assert_false(event_filter_is_known("domain.*"));
	assert_false(event_filter_is_known("message.*x"));
}

static void ids_of_events_differ_by_message_and_number(void **state)
{
	char a[EVENT_ID_LEN + 1], b[EVENT_ID_LEN + 1], c[EVENT_ID_LEN + 1];

	(void)state;
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rb", 1, a);
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rb", 2, b);
	event_id("msg_01kcs9g2f0w8m3q7z5xv4tn6rc", 1, c);
	assert_string_equal(a, "evt_01kcs9g2f0w8m3q7z5xv4tn6rb0001");
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
}

static void an_id_of_an_event_leads_back_to_it_and_nothing_else_does(void **state)
{
	static const char *const bad[] = {"",
					  "evt_",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb00011",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb000G",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb 001",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb+001",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rb00AA",
					  "evt_01kcs9g2f0w8m3q7z5xv4tn6rU0001",
					  "msg_01kcs9g2f0w8m3q7z5xv4tn6rb0001"};
	char message[ID_LEN + 1] = "";
	unsigned n = 0;

	(void)state;
	assert_int_equal(event_read_id("evt_01kcs9g2f0w8m3q7z5xv4tn6rb00fa", message, &n), 0);
	assert_string_equal(message, "msg_01kcs9g2f0w8m3q7z5xv4tn6rb");
	assert_int_equal(n, 250);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(event_read_id(bad[i], message, &n), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_fit_types),
		cmocka_unit_test(ids_of_events_differ_by_message_and_number),
		cmocka_unit_test(an_id_of_an_event_leads_back_to_it_and_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
