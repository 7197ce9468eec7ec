/* The body of POST /v1/messages: which errors it can have, and what a good one becomes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/send/send.h"
#include "server/base/buf.h"
#include "tests/unit/unit.h"

static const struct config config = {.max_recipients = 50, .default_deadline_s = 172800};

#define BASE "\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"],\"text\":\"hi\""

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!json)
		fail_msg("the test's own body is no JSON: %s", text);
	return json;
}

/* The number of errors; said gets them, one "pointer: detail" a line. */
static size_t read_body(json_t *take_body, struct send *s, struct buf *said)
{
	json_t *errors = NULL, *error;
	struct err e = {0};
	size_t i, n;
	int rc = send_read(s, take_body, &config, &errors, &e);

	json_decref(take_body);
	n = json_array_size(errors);
	assert_int_equal(rc, n ? -1 : 0);
	assert_true(rc == 0 || e.kind == ERR_INPUT);
	json_array_foreach (errors, i, error)
		buf_fmt(said, "%s: %s\n", json_string_value(json_object_get(error, "pointer")),
			json_string_value(json_object_get(error, "detail")));
	json_decref(errors);
	return n;
}

/* begins: of the one error, "pointer: beginning of the sentence"; NULL: no error. */
static const struct body_case {
	const char *what, *body, *begins;
} cases[] = {
	{"the least", "{" BASE "}", NULL},
	{"html alone", "{\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"],\"html\":\"h\"}",
	 NULL},
	{"neither text nor html", "{\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"]}",
	 "/text: give `text` or `html`"},
	{"text and html that are both empty",
	 "{\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"],\"text\":\"\",\"html\":\"\"}",
	 "/text: give `text` or `html`"},
	{"text that is null and no html",
	 "{\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"],\"text\":null}",
	 "/text: give `text` or `html`"},
	{"bcc alone", "{\"from\":\"a@shop.example\",\"bcc\":[\"b@x.example\"],\"text\":\"t\"}",
	 NULL},
	{"no recipient", "{\"from\":\"a@shop.example\",\"text\":\"t\"}",
	 "/to: give at least one recipient"},
	{"empty lists", "{\"from\":\"a@shop.example\",\"to\":[],\"cc\":[],\"text\":\"t\"}",
	 "/to: give at least one recipient"},
	{"a broken recipient alone is not also a missing one",
	 "{\"from\":\"a@shop.example\",\"to\":[\"b\"],\"text\":\"t\"}", "/to/0: "},
	{"one address in place of a list",
	 "{\"from\":\"a@shop.example\",\"to\":\"B "
	 "<b@x.example>\",\"cc\":{\"email\":\"c@x.example\"},"
	 "\"reply_to\":\"r@x.example\",\"text\":\"t\"}",
	 NULL},
	{"one bad address in place of a list",
	 "{\"from\":\"a@shop.example\",\"to\":\"b\",\"text\":\"t\"}", "/to: "},
	{"a number for to", "{\"from\":\"a@shop.example\",\"to\":5,\"text\":\"t\"}",
	 "/to: must be a string or an object or an array, not an integer"},
	{"an address with =? that is no encoded word", "{" BASE ",\"cc\":[\"x==?y@x.example\"]}",
	 NULL},
	{"an address object", "{" BASE ",\"cc\":[{\"email\":\"c@x.example\",\"name\":\"C\"}]}",
	 NULL},
	{"an address object without email", "{" BASE ",\"cc\":[{\"name\":\"C\"}]}",
	 "/cc/0/email: is required"},
	{"an address object with a wrong type", "{" BASE ",\"cc\":[{\"email\":5}]}",
	 "/cc/0/email: must be a string"},
	{"an address object with a bad address", "{" BASE ",\"cc\":[{\"email\":\"c\"}]}",
	 "/cc/0/email: "},
	{"an address object with a bad name",
	 "{" BASE ",\"cc\":[{\"email\":\"c@x.example\",\"name\":\"C\\r\\nBcc: v@x\"}]}",
	 "/cc/0/name: "},
	{"a null in a list", "{" BASE ",\"cc\":[null]}",
	 "/cc/0: must be a string or an object, not null"},
	{"from as an array",
	 "{\"from\":[\"a@shop.example\"],\"to\":[\"b@x.example\"],\"text\":\"t\"}",
	 "/from: must be a string or an object, not an array"},
	{"null for an optional field", "{" BASE ",\"subject\":null}", NULL},
	{"a tab in a subject and in a header",
	 "{" BASE ",\"subject\":\"a\\tb\",\"headers\":{\"X-A\":\"a\\tb\"}}", NULL},
	{"one-click without List-Unsubscribe",
	 "{" BASE ",\"headers\":{\"list-unsubscribe-post\":\"List-Unsubscribe=One-Click\"}}",
	 "/headers/list-unsubscribe-post: requires the header List-Unsubscribe"},
	{"one-click with List-Unsubscribe",
	 "{" BASE ",\"headers\":{\"List-Unsubscribe-Post\":\"List-Unsubscribe=One-Click\","
	 "\"list-unsubscribe\":\"<https://shop.example/u>\"}}",
	 NULL},
	{"a field of later", "{" BASE ",\"send_at\":\"2026-11-23T08:15:00Z\"}",
	 "/send_at: unknown field"},
	{"a misspelt field", "{" BASE ",\"htlm\":\"x\"}",
	 "/htlm: unknown field; did you mean `html`?"},
	{"a file", "{" BASE ",\"attachments\":[{\"filename\":\"a.txt\",\"content\":\"aGk=\"}]}",
	 NULL},
	{"an empty file", "{" BASE ",\"attachments\":[{\"filename\":\"a.txt\",\"content\":\"\"}]}",
	 NULL},
	{"a file without content", "{" BASE ",\"attachments\":[{\"filename\":\"a.txt\"}]}",
	 "/attachments/0/content: is required"},
	{"a file name that is null",
	 "{" BASE ",\"attachments\":[{\"filename\":null,\"content\":\"aGk=\"}]}",
	 "/attachments/0/filename: is required"},
	{"the second file is broken",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"aGk=\"},"
	 "{\"filename\":\"b\",\"content\":\"aGk\"}]}",
	 "/attachments/1/content: is not base64"},
	{"a data URI",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"data:x;base64,aGk=\"}]}",
	 "/attachments/0/content: is not base64"},
	{"a file name that names a folder",
	 "{" BASE ",\"attachments\":[{\"filename\":\"../..\",\"content\":\"\"}]}",
	 "/attachments/0/filename: the file name has only dots and slashes"},
	{"a file name with RTL override",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\\u202Efdp.exe\",\"content\":\"\"}]}",
	 "/attachments/0/filename: "},
	{"a content type with a header behind it",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"\",\"content_type\":"
	 "\"text/html\\r\\nX: y\"}]}",
	 "/attachments/0/content_type: "},
	{"a multipart content type",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"\",\"content_type\":"
	 "\"multipart/mixed\"}]}",
	 "/attachments/0/content_type: "},
	{"a content id in brackets",
	 "{" BASE
	 ",\"attachments\":[{\"filename\":\"a\",\"content\":\"\",\"content_id\":\"<a>\"}]}",
	 "/attachments/0/content_id: "},
	{"a disposition of its own",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"\",\"disposition\":\"x\"}]}",
	 "/attachments/0/disposition: must be \"attachment\", \"inline\" or \"alternative\""},
	{"a content type with parameters",
	 "{" BASE ",\"attachments\":[{\"filename\":\"a\",\"content\":\"\",\"content_type\":"
	 "\"text/csv; charset=utf-8\"}]}",
	 NULL},
	{"a calendar invitation",
	 "{" BASE ",\"attachments\":[{\"content\":\"\",\"disposition\":\"alternative\","
	 "\"content_type\":\"text/calendar; method=REQUEST\"}]}",
	 NULL},
	{"an alternative that is no text",
	 "{" BASE ",\"attachments\":[{\"content\":\"\",\"disposition\":\"alternative\","
	 "\"content_type\":\"image/png\"}]}",
	 "/attachments/0/content_type: must begin with text/"},
	{"an attachment without a file name", "{" BASE ",\"attachments\":[{\"content\":\"\"}]}",
	 "/attachments/0/filename: is required"},
	{"a tab in subject and header",
	 "{\"from\":\"a@shop.example\",\"to\":[\"b@x.example\"],\"text\":\"t\","
	 "\"subject\":\"a\\tb\",\"headers\":{\"X-A\":\"a\\tb\"}}",
	 NULL},
	{"a header", "{" BASE ",\"headers\":{\"X-A\":\"b\"}}", NULL},
	{"a header that is ours", "{" BASE ",\"headers\":{\"Bcc\":\"v@x.example\"}}",
	 "/headers/Bcc: "},
	{"a header twice", "{" BASE ",\"headers\":{\"X-A\":\"b\",\"x-a\":\"c\"}}",
	 "/headers/x-a: "},
	{"a header name with a line end", "{" BASE ",\"headers\":{\"X\\r\\nBcc\":\"b\"}}",
	 "/headers/X\r\nBcc: "},
	{"tags", "{" BASE ",\"tags\":[\"a_b-c.d:e\",\"Z9\"]}", NULL},
	{"a tag with a space", "{" BASE ",\"tags\":[\"a\",\"b c\"]}",
	 "/tags/1: must contain only letters"},
	{"an empty tag", "{" BASE ",\"tags\":[\"\"]}", "/tags/0: must not be empty"},
	{"eleven tags",
	 "{" BASE
	 ",\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\"]}",
	 "/tags: has 11 items; at most 10"},
	{"metadata", "{" BASE ",\"metadata\":{\"order_id\":\"1001\",\"\":\"\"}}", NULL},
	{"metadata that is no string", "{" BASE ",\"metadata\":{\"n\":1}}",
	 "/metadata/n: must be a string"},
	{"a lane", "{" BASE ",\"lane\":\"otp\"}", NULL},
	{"no such lane", "{" BASE ",\"lane\":\"OTP\"}",
	 "/lane: must be \"otp\", \"normal\" or \"bulk\""},
	{"a deadline", "{" BASE ",\"deliver_within\":\"5d\"}", NULL},
	{"a deadline below a minute", "{" BASE ",\"deliver_within\":\"59s\"}",
	 "/deliver_within: must be between 60 and 432000 seconds"},
	{"a deadline above five days", "{" BASE ",\"deliver_within\":\"121h\"}",
	 "/deliver_within: must be between"},
	{"a deadline that overflows", "{" BASE ",\"deliver_within\":\"99999999999999999999d\"}",
	 "/deliver_within: must be a whole number"},
	{"a negative deadline", "{" BASE ",\"deliver_within\":\"-10m\"}",
	 "/deliver_within: must be a whole number"},
	{"a fraction of a deadline", "{" BASE ",\"deliver_within\":\"1.5h\"}",
	 "/deliver_within: must be a whole number"},
	{"a deadline as a number", "{" BASE ",\"deliver_within\":600}",
	 "/deliver_within: must be a string"},
	{"on_unknown", "{" BASE ",\"on_unknown\":\"fail\"}", NULL},
	{"no such on_unknown", "{" BASE ",\"on_unknown\":\"drop\"}", "/on_unknown: must be"},
};

static void each_body_has_the_error_it_should_have(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct body_case *c = &cases[i];
		struct buf said = {0};
		struct send s;
		size_t n = read_body(parse(c->body), &s, &said);

		if (n != (c->begins ? 1 : 0) ||
		    (c->begins && strncmp(buf_text(&said), c->begins, strlen(c->begins)) != 0))
			fail_msg("%s: %s", c->what, buf_text(&said));
		buf_deinit(&said);
		send_deinit(&s);
	}
}

/* ---- line ends in every string ---- */

static const char everything[] =
	"{\"from\":{\"email\":\"a@shop.example\",\"name\":\"Shop\"},"
	"\"to\":[\"B <b@x.example>\",{\"email\":\"c@x.example\",\"name\":\"C\"}],"
	"\"cc\":[\"d@x.example\"],\"bcc\":[{\"email\":\"e@x.example\",\"name\":\"E\"}],"
	"\"reply_to\":[\"f@x.example\",{\"email\":\"g@x.example\",\"name\":\"G\"}],"
	"\"subject\":\"Hi\",\"text\":\"t\",\"html\":\"h\","
	"\"attachments\":[{\"filename\":\"a.txt\",\"content\":\"aGk=\",\"content_type\":"
	"\"text/plain\",\"content_id\":\"cid1\",\"disposition\":\"inline\"}],"
	"\"headers\":{\"X-A\":\"b\",\"List-Unsubscribe\":\"<https://shop.example/u>\"},"
	"\"tags\":[\"t\"],\"metadata\":{\"k\":\"v\"},"
	"\"lane\":\"bulk\",\"deliver_within\":\"1h\",\"on_unknown\":\"fail\"}";

/* Bodies and metadata never get into a header. */
static bool may_hold_anything(const char *path)
{
	return strcmp(path, "/text") == 0 || strcmp(path, "/html") == 0 ||
	       strncmp(path, "/metadata/", 10) == 0;
}

/* One walk over the strings of a body: number `wanted` gets the poison, its path goes to hit. */
struct poisoning {
	const char *poison;
	size_t wanted, seen;
	char hit[256];
};

static void walk(struct poisoning *p, json_t *json, const char *path);

static void visit(struct poisoning *p, json_t *child, const char *path, const char *name)
{
	char at[256], value[512];

	snprintf(at, sizeof(at), "%s/%s", path, name);
	if (!json_is_string(child)) {
		walk(p, child, at);
		return;
	}
	if (p->seen++ != p->wanted)
		return;
	snprintf(value, sizeof(value), "%s%s", json_string_value(child), p->poison);
	snprintf(p->hit, sizeof(p->hit), "%s", at);
	assert_int_equal(json_string_set(child, value), 0);
}

static void walk(struct poisoning *p, json_t *json, const char *path)
{
	const char *name;
	char number[24];
	json_t *child;
	size_t i;

	json_array_foreach (json, i, child) {
		snprintf(number, sizeof(number), "%zu", i);
		visit(p, child, path, number);
	}
	json_object_foreach (json, name, child)
		visit(p, child, path, name);
}

static void a_line_end_in_any_string_is_an_error_at_that_string(void **state)
{
	static const char *const poisons[] = {"\r\nBcc: v@evil.example",
					      "\nBcc: v@evil.example",
					      "\rBcc: v@evil.example",
					      ">\r\nRCPT TO:<v@evil.example>",
					      "\xE2\x80\xA8x",
					      "\xE2\x80\xA9x",
					      "\xC2\x85x",
					      "\x7F",
					      "\b",
					      "\x1B[2J"};
	size_t k, i, n, total;

	(void)state;
	for (k = 0; k < sizeof(poisons) / sizeof(poisons[0]); k++) {
		for (i = 0, total = 1; i < total; i++) {
			struct poisoning p = {.poison = poisons[k], .wanted = i};
			json_t *body = parse(everything);
			struct buf said = {0};
			struct send s;

			walk(&p, body, "");
			total = p.seen;
			n = read_body(body, &s, &said);
			if (n != (may_hold_anything(p.hit) ? 0 : 1))
				fail_msg("%s with %s: %s", p.hit, poisons[k], buf_text(&said));
			if (n && strncmp(buf_text(&said), p.hit, strlen(p.hit)) != 0)
				fail_msg("%s is reported as %s", p.hit, buf_text(&said));
			buf_deinit(&said);
			send_deinit(&s);
		}
		assert_int_equal(total, 26);
	}
}

/* ---- what a good body becomes ---- */

static void each_field_of_a_full_body_is_read(void **state)
{
	struct buf said = {0};
	struct send s;

	(void)state;
	assert_int_equal(read_body(parse(everything), &s, &said), 0);
	assert_string_equal(s.message.from->email, "a@shop.example");
	assert_string_equal(s.message.from->name, "Shop");
	assert_int_equal(s.message.n_to, 2);
	assert_string_equal(s.message.to[0].name, "B");
	assert_string_equal(s.message.to[1].email, "c@x.example");
	assert_int_equal(s.message.n_cc, 1);
	assert_int_equal(s.message.n_reply_to, 2);
	assert_int_equal(s.n_emails, 4);
	assert_string_equal(s.emails[0], "b@x.example");
	assert_string_equal(s.emails[3], "e@x.example");
	assert_string_equal(s.message.subject, "Hi");
	assert_memory_equal(s.message.text, "t", 1);
	assert_int_equal(s.message.text_len, 1);
	assert_int_equal(s.message.html_len, 1);
	assert_int_equal(s.message.n_parts, 1);
	assert_memory_equal(s.message.parts[0].bytes, "hi", 2);
	assert_int_equal(s.message.parts[0].len, 2);
	assert_string_equal(s.message.parts[0].content_id, "cid1");
	assert_int_equal(s.message.parts[0].place, PART_INLINE);
	assert_int_equal(s.message.n_headers, 2);
	assert_string_equal(s.message.headers[0].name, "X-A");
	assert_int_equal(s.lane, LANE_BULK);
	assert_int_equal(s.within_ms, 3600000);
	assert_true(s.choices.fail_on_unknown);
	send_deinit(&s);
	buf_deinit(&said);
}

static void characters_that_a_mail_cannot_have_are_replaced(void **state)
{
	static const char body[] =
		"{" BASE ",\"html\":\"\",\"subject\":\"a\\tb\",\"headers\":{\"X-A\":\"c\\td\"},"
		"\"metadata\":{\"k\":\"v\",\"none\":null},"
		"\"attachments\":[{\"filename\":\"Auftrag_225/2385\\\\1.pdf\",\"content\":\"\"}]}";
	struct buf said = {0};
	struct send s;

	(void)state;
	assert_int_equal(read_body(parse(body), &s, &said), 0);
	assert_null(s.message.html);
	assert_string_equal(s.message.subject, "a b");
	assert_string_equal(s.message.headers[0].value, "c d");
	assert_int_equal(json_object_size(s.metadata), 1);
	send_deinit(&s);
	buf_deinit(&said);
}

static void fields_that_are_not_given_have_their_default(void **state)
{
	struct buf said = {0};
	struct send s;

	(void)state;
	assert_int_equal(read_body(parse("{" BASE "}"), &s, &said), 0);
	assert_int_equal(s.lane, LANE_NORMAL);
	assert_int_equal(s.within_ms, 172800000);
	assert_false(s.choices.fail_on_unknown);
	assert_null(s.message.subject);
	assert_null(s.message.html);
	send_deinit(&s);
	buf_deinit(&said);
}

static json_t *body_with_recipients(size_t n, bool is_same)
{
	json_t *body = parse("{\"from\":\"a@shop.example\",\"text\":\"hi\"}");
	json_t *to = json_array();
	char email[64];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(email, sizeof(email), "r%zu@x.example", is_same ? 0 : i);
		json_array_append_new(to, json_string(email));
	}
	json_object_set_new(body, "to", to);
	return body;
}

static void recipients_are_counted_once_and_limited(void **state)
{
	static const struct {
		size_t n;
		bool is_same;
		size_t emails; /* 0: an error */
		const char *says;
	} counts[] = {
		{50, false, 50, ""},
		{51, false, 0,
		 "/to: `to`, `cc` and `bcc` have 51 different recipients; at most 50"},
		{1000, true, 1, ""},
		{1000, false, 0, "/to: `to`, `cc` and `bcc` have 1000 different recipients"},
		{1001, true, 0, "/to: has 1001 items; at most 1000"},
		{10001, false, 0, "/to: has 10001 items; at most 1000"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf said = {0};
		struct send s;
		size_t n =
			read_body(body_with_recipients(counts[i].n, counts[i].is_same), &s, &said);

		assert_int_equal(n, counts[i].emails ? 0 : 1);
		if (n == 0)
			assert_int_equal(s.n_emails, counts[i].emails);
		assert_memory_equal(buf_text(&said), counts[i].says, strlen(counts[i].says));
		send_deinit(&s);
		buf_deinit(&said);
	}
}

static void equal_recipients_fold_the_domain_and_keep_the_local_part(void **state)
{
	struct buf said = {0};
	struct send s;

	(void)state;
	assert_int_equal(read_body(parse("{\"from\":\"a@shop.example\",\"text\":\"t\",\"to\":[\"B@"
					 "X.Example\"],"
					 "\"cc\":[\"B@x.example\",\"b@x.example\"],"
					 "\"bcc\":[{\"email\":\"b@X.EXAMPLE\",\"name\":\"N\"}]}"),
				   &s, &said),
			 0);
	assert_int_equal(s.n_emails, 2);
	assert_string_equal(s.emails[0], "B@x.example");
	assert_string_equal(s.emails[1], "b@x.example");
	send_deinit(&s);
	buf_deinit(&said);
}

static void metadata_is_limited_in_total(void **state)
{
	json_t *body = parse("{" BASE "}");
	char value[4097];
	struct buf said = {0};
	struct send s;

	(void)state;
	memset(value, 'v', sizeof(value));
	value[4096] = 0;
	json_object_set_new(body, "metadata", json_pack("{s:s}", "k", value));
	assert_int_equal(read_body(body, &s, &said), 1);
	assert_string_equal(buf_text(&said),
			    "/metadata: names and values have 4097 octets; at most 4096 are "
			    "allowed\n");
	send_deinit(&s);
	buf_deinit(&said);
}

/* ---- facts ---- */

static void facts_hold_the_given_fields_and_nothing_else(void **state)
{
	const struct send_extra extra = {"<id@shop.example>", 1234, "fsync", "req-1"};
	struct buf said = {0}, facts = {0};
	struct send s;

	(void)state;
	assert_int_equal(read_body(parse("{" BASE "}"), &s, &said), 0);
	send_facts(&s, &extra, &facts);
	assert_string_equal(buf_text(&facts),
			    "{\"from\":{\"email\":\"a@shop.example\"},"
			    "\"to\":[{\"email\":\"b@x.example\"}],"
			    "\"internet_message_id\":\"<id@shop.example>\",\"size_bytes\":1234,"
			    "\"durability\":\"fsync\",\"request_id\":\"req-1\"}");
	buf_reset(&facts);
	send_facts(&s, &(struct send_extra){"<id@shop.example>", 1, NULL, NULL}, &facts);
	assert_null(strstr(buf_text(&facts), "durability"));
	assert_null(strstr(buf_text(&facts), "request_id"));
	buf_deinit(&facts);
	send_deinit(&s);
	buf_deinit(&said);
}

static void facts_of_a_full_body_give_its_envelope_back(void **state)
{
	const struct send_extra extra = {"<id@shop.example>", 1234, "fsync", "req-1"};
	struct buf said = {0}, text = {0};
	json_t *facts, *envelope, *unused;
	struct send s;
	const char *email;
	char *again;
	size_t i = 0;

	(void)state;
	assert_int_equal(read_body(parse(everything), &s, &said), 0);
	send_facts(&s, &extra, &text);
	assert_null(strchr(text.data, '\n'));
	assert_non_null(
		strstr(text.data, "\"lane\":\"bulk\",\"tags\":[\"t\"],\"metadata\":{\"k\":\"v\"}"));
	facts = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
	again = json_dumps(facts, JSON_COMPACT);
	assert_string_equal(again, text.data);
	free(again);
	envelope = send_envelope(facts);
	assert_int_equal(json_object_size(envelope), s.n_emails);
	json_object_foreach (envelope, email, unused)
		assert_string_equal(email, s.emails[i++]);
	json_decref(envelope);
	buf_deinit(&text);
	json_decref(facts);
	send_deinit(&s);
	buf_deinit(&said);
}

UNIT_TESTS(cmocka_unit_test(each_body_has_the_error_it_should_have),
	   cmocka_unit_test(a_line_end_in_any_string_is_an_error_at_that_string),
	   cmocka_unit_test(each_field_of_a_full_body_is_read),
	   cmocka_unit_test(characters_that_a_mail_cannot_have_are_replaced),
	   cmocka_unit_test(fields_that_are_not_given_have_their_default),
	   cmocka_unit_test(recipients_are_counted_once_and_limited),
	   cmocka_unit_test(equal_recipients_fold_the_domain_and_keep_the_local_part),
	   cmocka_unit_test(metadata_is_limited_in_total),
	   cmocka_unit_test(facts_hold_the_given_fields_and_nothing_else),
	   cmocka_unit_test(facts_of_a_full_body_give_its_envelope_back))
