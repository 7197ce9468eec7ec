/* Messages as JSON: the 202, its replay, and what GET shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/messages/render.h"
#include "server/base/buf.h"
#include "tests/unit/unit.h"

#define ID "msg_01kcs9g2f0w8m3q7z5xv4tn6rb"
#define AT 1795421700123 /* 2026-11-23T08:15:00.123Z */

static const char facts[] =
	"{\"from\":{\"email\":\"a@shop.example\",\"name\":\"Shop\"},"
	"\"to\":[{\"email\":\"b@x.example\"},{\"email\":\"c@x.example\",\"name\":\"C\"}],"
	"\"bcc\":[{\"email\":\"b@x.example\"},{\"email\":\"d@y.example\"}],"
	"\"subject\":\"Hi\",\"lane\":\"otp\",\"tags\":[\"t\"],"
	"\"internet_message_id\":\"<01@shop.example>\",\"size_bytes\":512,\"durability\":\"fsync\","
	"\"request_id\":\"req-1\"}";

static const char facts_plain[] =
	"{\"to\":[{\"email\":\"b@x.example\"},{\"email\":\"c@x.example\",\"name\":\"C\"}],"
	"\"bcc\":[{\"email\":\"b@x.example\"},{\"email\":\"d@y.example\"}],"
	"\"internet_message_id\":\"<01@shop.example>\"}";

static struct record_job jobs[] = {
	{.destination = "x.example", .next_attempt_ms = AT + 60000},
	{.is_done = true, .destination = "y.example", .next_attempt_ms = AT + 60000},
};
static struct record_recipient recipients[] = {
	{.state = STATE_QUEUED, .email = "b@x.example", .text = ""},
	{.state = STATE_DEFERRED,
	 .attempts = 1,
	 .code = 451,
	 .at_ms = AT + 1000,
	 .email = "c@x.example",
	 .text = "4.7.1 wait \xFF",
	 .possible_duplicate = true},
	{.state = STATE_DELIVERED,
	 .job = 1,
	 .attempts = 2,
	 .code = 250,
	 .at_ms = AT + 2000,
	 .email = "d@y.example",
	 .text = "ok"},
};

static struct record record_of(const char *text)
{
	return (struct record){
		.lane = LANE_OTP,
		.is_test = true,
		.project = "1",
		.sender = "a@shop.example",
		.accepted_ms = AT,
		.deadline_ms = AT + 600000,
		.facts = text,
		.jobs = jobs,
		.n_jobs = 2,
		.recipients = recipients,
		.n_recipients = 3,
	};
}

static void check(json_t *take_json, const char *wanted)
{
	char *text = json_dumps(take_json, JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(take_json);
}

static const char accepted[] =
	"{\"id\":\"" ID "\",\"status\":\"queued\",\"durability\":\"fsync\","
	"\"created_at\":\"2026-11-23T08:15:00.123Z\",\"internet_message_id\":\"<01@shop.example>\","
	"\"recipients\":[{\"email\":\"b@x.example\",\"status\":\"queued\"},"
	"{\"email\":\"c@x.example\",\"status\":\"queued\"},"
	"{\"email\":\"d@y.example\",\"status\":\"queued\"}]}";

static void a_202_names_each_recipient_in_order(void **state)
{
	const struct accepted a = {
		.id = ID,
		.at_ms = AT,
		.internet_message_id = "<01@shop.example>",
		.emails = "b@x.example\0c@x.example\0d@y.example",
		.n_emails = 3,
		.suppressed = "",
	};
	struct buf body = {0};

	(void)state;
	render_accepted(&a, &body);
	assert_string_equal(buf_text(&body), accepted);
	buf_deinit(&body);
}

static void a_replay_is_the_first_response_whatever_happened_to_the_message(void **state)
{
	struct record record = record_of(facts);
	struct buf body = {0};

	(void)state;
	assert_int_equal(render_replay(ID, &record, &body), 0);
	assert_string_equal(buf_text(&body), accepted);
	buf_deinit(&body);
}

static void a_202_and_its_replay_list_suppressed_recipients(void **state)
{
	static const struct {
		const char *numbers, *whole, *b, *c, *d;
	} rows[] = {
		{"[1]", "queued", "queued", "suppressed", "queued"},
		{"[0,2]", "queued", "suppressed", "queued", "suppressed"},
		{"[2]", "queued", "queued", "queued", "suppressed"},
		{"[0,1,2]", "suppressed", "suppressed", "suppressed", "suppressed"},
	};
	char wanted[1024], text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf body = {0}, again = {0};
		struct record record = record_of(text);
		const struct accepted a = {
			.id = ID,
			.at_ms = AT,
			.durability = "relaxed",
			.internet_message_id = "<01@shop.example>",
			.emails = "b@x.example\0c@x.example\0d@y.example",
			.n_emails = 3,
			.suppressed = rows[i].numbers,
		};

		snprintf(text, sizeof(text), "{\"durability\":\"relaxed\",%.*s,\"suppressed\":%s}",
			 (int)strlen(facts_plain) - 2, facts_plain + 1, rows[i].numbers);
		snprintf(wanted, sizeof(wanted),
			 "{\"id\":\"" ID "\",\"status\":\"%s\",\"durability\":\"relaxed\","
			 "\"created_at\":\"2026-11-23T08:15:00.123Z\","
			 "\"internet_message_id\":\"<01@shop.example>\",\"recipients\":["
			 "{\"email\":\"b@x.example\",\"status\":\"%s\"},"
			 "{\"email\":\"c@x.example\",\"status\":\"%s\"},"
			 "{\"email\":\"d@y.example\",\"status\":\"%s\"}]}",
			 rows[i].whole, rows[i].b, rows[i].c, rows[i].d);
		render_accepted(&a, &body);
		assert_string_equal(buf_text(&body), wanted);
		assert_int_equal(render_replay(ID, &record, &again), 0);
		assert_string_equal(buf_text(&again), wanted);
		buf_deinit(&body);
		buf_deinit(&again);
	}
}

static void a_message_shows_facts_and_states(void **state)
{
	struct record record = record_of(facts);

	(void)state;
	check(render_message(ID, &record),
	      "{\"id\":\"" ID
	      "\",\"status\":\"queued\",\"created_at\":\"2026-11-23T08:15:00.123Z\","
	      "\"deadline\":\"2026-11-23T08:25:00.123Z\",\"internet_message_id\":\"<01@shop."
	      "example>\","
	      "\"from\":{\"email\":\"a@shop.example\",\"name\":\"Shop\"},"
	      "\"to\":[{\"email\":\"b@x.example\"},{\"email\":\"c@x.example\",\"name\":\"C\"}],"
	      "\"bcc\":[{\"email\":\"b@x.example\"},{\"email\":\"d@y.example\"}],"
	      "\"subject\":\"Hi\",\"tags\":[\"t\"],\"size_bytes\":512,\"request_id\":\"req-1\","
	      "\"lane\":\"otp\",\"mode\":\"test\",\"recipients\":["
	      "{\"email\":\"b@x.example\",\"status\":\"queued\",\"attempts\":0,"
	      "\"next_attempt_at\":\"2026-11-23T08:16:00.123Z\"},"
	      "{\"email\":\"c@x.example\",\"status\":\"deferred\",\"attempts\":1,"
	      "\"last_reply\":{\"code\":451,\"text\":\"4.7.1 wait "
	      "\xEF\xBF\xBD\",\"source\":\"remote\"},"
	      "\"last_event_at\":\"2026-11-23T08:15:01.123Z\","
	      "\"next_attempt_at\":\"2026-11-23T08:16:00.123Z\",\"possible_duplicate\":true},"
	      "{\"email\":\"d@y.example\",\"status\":\"delivered\",\"attempts\":2,"
	      "\"last_reply\":{\"code\":250,\"text\":\"ok\",\"source\":\"remote\"},"
	      "\"last_event_at\":\"2026-11-23T08:15:02.123Z\"}]}");
}

static void damaged_facts_are_an_error_and_no_crash(void **state)
{
	struct record record = record_of("{\"from\":");
	struct buf body = {0};

	(void)state;
	assert_null(render_facts(&record));
	assert_null(render_message(ID, &record));
	assert_int_equal(render_replay(ID, &record, &body), -1);
	record.facts = "{\"to\":[]}";
	assert_int_equal(render_replay(ID, &record, &body), -1);
	record.facts = "{\"internet_message_id\":\"<a@b>\",\"to\":{\"email\":1}}";
	assert_int_equal(render_replay(ID, &record, &body), -1);
	assert_int_equal(body.len, 0);
}

UNIT_TESTS(cmocka_unit_test(a_202_names_each_recipient_in_order),
	   cmocka_unit_test(a_replay_is_the_first_response_whatever_happened_to_the_message),
	   cmocka_unit_test(a_202_and_its_replay_list_suppressed_recipients),
	   cmocka_unit_test(a_message_shows_facts_and_states),
	   cmocka_unit_test(damaged_facts_are_an_error_and_no_crash))
