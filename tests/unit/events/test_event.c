/* Ids and filters of events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/events/event.h"
#include "tests/unit/unit.h"

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

static struct record record_of(struct record_recipient *recipient)
{
	return (struct record){
		.is_test = true,
		.facts = "{\"internet_message_id\":\"<01@shop.example>\","
			 "\"from\":{\"email\":\"a@shop.example\"},\"subject\":\"Hi\"}",
		.recipients = recipient,
		.n_recipients = 1};
}

static void check(json_t *take_json, const char *wanted)
{
	char *text = json_dumps(take_json, JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(take_json);
}

#define MESSAGE "msg_01kcs9g2f0w8m3q7z5xv4tn6rb"
#define AT INT64_C(1795421700123)

static void an_event_has_its_envelope_and_its_data(void **state)
{
	struct record_recipient recipient = {.email = "b@x.example"};
	struct record record = record_of(&recipient);
	const struct event_about about = {MESSAGE, "prj_1", "c1"};
	const struct record_event bounced = {.n = 2,
					     .type = "bounced",
					     .at_ms = AT,
					     .code = 550,
					     .is_suppressed = true,
					     .text = "5.1.1 no"};

	(void)state;
	check(event_json(&about, &record, &bounced),
	      "{\"id\":\"evt_01kcs9g2f0w8m3q7z5xv4tn6rb0002\",\"type\":\"message.bounced\","
	      "\"timestamp\":\"2026-11-23T08:15:00.123Z\",\"sequence\":2,\"cursor\":\"c1\","
	      "\"project_id\":\"prj_1\",\"mode\":\"test\",\"data\":{\"message_id\":\"" MESSAGE
	      "\",\"status\":\"bounced\",\"lane\":\"otp\",\"recipient\":\"b@x.example\","
	      "\"reply\":{\"code\":550,\"text\":\"5.1.1 no\",\"source\":\"remote\"},"
	      "\"bounce\":{\"class\":\"recipient\",\"is_permanent\":true,"
	      "\"is_suppressed\":true,\"smtp_code\":550,"
	      "\"enhanced_code\":\"5.1.1\",\"text\":\"5.1.1 no\",\"source\":\"remote\"},"
	      "\"internet_message_id\":\"<01@shop.example>\",\"from\":{\"email\":"
	      "\"a@shop.example\"},\"subject\":\"Hi\"}}");
}

static void a_test_event_has_the_members_of_a_real_one(void **state)
{
	struct record_recipient recipient = {.email = "b@x.example"};
	struct record record = record_of(&recipient);
	const struct event_about about = {MESSAGE, "prj_1", NULL};
	const struct record_event delivered = {
		.n = 2, .type = "delivered", .at_ms = AT, .code = 250, .text = "ok"};
	json_t *whole = event_json(&about, &record, &delivered), *real = whole;
	json_t *sample = event_sample_json("evt_1", &about, false, AT);
	const char *name;
	json_t *value;

	(void)state;
	assert_int_equal(json_object_size(real), json_object_size(sample));
	json_object_foreach (real, name, value)
		assert_int_equal(json_typeof(value), json_typeof(json_object_get(sample, name)));
	real = json_object_get(real, "data");
	assert_int_equal(json_object_size(real), json_object_size(json_object_get(sample, "data")));
	json_object_foreach (real, name, value)
		assert_non_null(json_object_get(json_object_get(sample, "data"), name));
	assert_string_equal(json_string_value(json_object_get(sample, "type")), "webhook.test");
	json_decref(whole);
	json_decref(sample);
}

static void all_types_fit_into_the_list_of_them(void **state)
{
	char types[EVENT_TYPES_MAX];

	(void)state;
	event_types(types);
	assert_non_null(strstr(types, "message.queued, message.deferred, "));
	assert_string_equal(types + strlen(types) - strlen(", message.failed"), ", message.failed");
}

UNIT_TESTS(cmocka_unit_test(filters_fit_types),
	   cmocka_unit_test(ids_of_events_differ_by_message_and_number),
	   cmocka_unit_test(an_id_of_an_event_leads_back_to_it_and_nothing_else_does),
	   cmocka_unit_test(an_event_has_its_envelope_and_its_data),
	   cmocka_unit_test(a_test_event_has_the_members_of_a_real_one),
	   cmocka_unit_test(all_types_fit_into_the_list_of_them))
