/* JSON that Postern stores comes back from a real Redis with every character it had. */
#include "tests/unit/store/store_fixture.h"

#include "server/base/log.h"
#include "server/store/projects/deliveries.h"
#include "server/store/projects/endpoints.h"
#include "server/store/projects/stored_json.h"

#define CHARACTERS 0x250

/* U+0000 and all that follow it, as UTF-8. */
static size_t every_character(char *out)
{
	size_t n = 0;

	for (unsigned c = 0; c < CHARACTERS; c++) {
		if (c >= 0x80) {
			out[n++] = (char)(0xc0 | c >> 6);
			out[n++] = (char)(0x80 | (c & 0x3f));
		} else {
			out[n++] = (char)c;
		}
	}
	return n;
}

/* ---- asked and awaited ---- */

static void on_endpoint_done(const struct err *why, void *arg)
{
	int *calls = arg;

	assert_null(why);
	(*calls)++;
}

static void put_endpoint(struct fixture *f, const char *id)
{
	struct endpoint e = {.project = PROJECT,
			     .url = "https://shop.example/hooks",
			     .description = "",
			     .secret = "sealed",
			     .is_enabled = true,
			     .disabled_reason = ""};
	int calls = 0;

	snprintf(e.id, sizeof(e.id), "%s", id);
	e.events = json_array();
	endpoints_put(f->store, &e, NULL, on_endpoint_done, &calls);
	assert_true(becomes(f, was_called, &calls));
	json_decref(e.events);
}

static void on_reported(bool is_ours, void *arg)
{
	int *calls = arg;

	assert_true(is_ours);
	(*calls)++;
}

struct read {
	int calls;
	json_t *json;
};

static void on_read(json_t *json, const struct err *why, void *arg)
{
	struct read *r = arg;

	assert_null(why);
	r->json = json_incref(json);
	r->calls++;
}

static void assert_same(const json_t *object, const char *text, size_t len)
{
	const json_t *kept = json_object_get(object, "text");

	assert_int_equal(json_string_length(kept), len);
	assert_memory_equal(json_string_value(kept), text, len);
}

/* ---- tests ---- */

static void deliveries_come_back_with_every_character(void **state)
{
	struct fixture *f = *state;
	struct id id = id_make("whk", 0), event = id_make("evt", 0);
	struct deliveries_batch batch = {0};
	char text[CHARACTERS * 2];
	size_t len = every_character(text);
	json_t *json = json_pack("{s:s%}", "text", text, len);
	char *stored = json_dumps(json, JSON_COMPACT);
	struct read log = {0}, failed = {0}, outcome = {0};
	int calls = 0;

	put_endpoint(f, id.text);
	deliveries_log(&batch, id.text, stored, true);
	deliveries_log(&batch, id.text, "{\"text\":\"later\"}", false);
	deliveries_tested(&batch, id.text, event.text, stored);
	deliveries_commit(f->store, "own_1", 10000, &batch, on_reported, &calls);
	assert_true(becomes(f, was_called, &calls));

	endpoints_deliveries(f->store, id.text, false, on_read, &log);
	endpoints_deliveries(f->store, id.text, true, on_read, &failed);
	endpoints_get_test(f->store, event.text, on_read, &outcome);
	assert_true(becomes(f, was_called, &outcome.calls));
	assert_int_equal(json_array_size(log.json), 2);
	assert_same(json_array_get(log.json, 1), text, len);
	assert_int_equal(json_array_size(failed.json), 1);
	assert_same(json_array_get(failed.json, 0), text, len);
	assert_same(outcome.json, text, len);
	json_decref(log.json);
	json_decref(failed.json);
	json_decref(outcome.json);
	json_decref(json);
	free(stored);
}

static void a_member_is_read_as_text_or_as_nothing(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"{\"text\":\"abc\"}", "abc"},
		{"{\"text\":\"ab\\u0000c\"}", "ab"},
		{"{\"text\":1}", ""},
		{"{\"text\":null}", ""},
		{"{}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *json = stored_json_load(rows[i].json, strlen(rows[i].json));
		char copy[3];

		assert_non_null(json);
		assert_string_equal(stored_json_text(json, "text"), rows[i].text);
		stored_json_copy(json, "text", copy, sizeof(copy));
		assert_int_equal(strncmp(copy, rows[i].text, 2), 0);
		assert_true(strlen(copy) <= 2);
		json_decref(json);
	}
	assert_null(stored_json_load("{", 1));
	assert_null(stored_json_load("", 0));
}

UNIT_TESTS(READY(deliveries_come_back_with_every_character),
	   cmocka_unit_test(a_member_is_read_as_text_or_as_nothing))
