/* JSON that Postern stores comes back from a real Redis with every character it had. */
#include "tests/unit/store/store_fixture.h"

#include <errno.h>

#include "server/base/log.h"
#include "server/redis/resp.h"
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

/* ---- out of memory ---- */

static int allocations_left;

static void *allocate(size_t size)
{
	if (allocations_left-- > 0)
		return malloc(size);
	errno = ENOMEM; /* as malloc does */
	return NULL;
}

/* Jansson's allocation number n, from 0, fails, and all after it. */
static void fail_from(int n)
{
	allocations_left = n;
	json_set_alloc_funcs(allocate, free);
}

static void fail_none(void)
{
	json_set_alloc_funcs(malloc, free);
}

static void a_text_that_cannot_be_read_for_lack_of_memory_is_not_taken_for_damaged(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null}}";
	json_t *json = NULL;
	int n = 0, rc;

	(void)state;
	do {
		fail_from(n++);
		rc = stored_json_row(text, sizeof(text) - 1, &json);
		fail_none();
		assert_true(rc == 0 ? json != NULL : rc == RESP_ROW_OOM && !json);
	} while (rc < 0);
	assert_true(n > 10);
	json_decref(json);
	assert_int_equal(stored_json_row("{\"a\":", 5, &json), RESP_ROW_SKIPPED);
	assert_int_equal(stored_json_row("", 0, &json), RESP_ROW_SKIPPED);
}

struct listed {
	int calls;
	size_t n;
	struct err why;
};

static void on_listed(const struct endpoint *list, size_t n, const struct err *why, void *arg)
{
	struct listed *l = arg;

	l->calls++;
	l->n = n;
	l->why = why ? *why : (struct err){0};
	assert_true(why ? !list : list != NULL);
}

static void a_list_has_all_rows_or_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct listed l;
	int n = 0;

	for (int i = 0; i < 3; i++)
		put_endpoint(f, id_make("whk", 0).text);
	do {
		l = (struct listed){0};
		endpoints_list(f->store, PROJECT, on_listed, &l);
		fail_from(n++);
		assert_true(becomes(f, was_called, &l.calls));
		fail_none();
		assert_true(l.why.kind ? err_is_oom(&l.why) : l.n == 3);
	} while (l.why.kind);
	assert_true(n > 10);
}

UNIT_TESTS(READY(deliveries_come_back_with_every_character),
	   cmocka_unit_test(a_member_is_read_as_text_or_as_nothing),
	   cmocka_unit_test(a_text_that_cannot_be_read_for_lack_of_memory_is_not_taken_for_damaged),
	   READY(a_list_has_all_rows_or_is_an_error))
