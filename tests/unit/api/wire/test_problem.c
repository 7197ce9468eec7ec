/* Problems as a user reads them. */
#include <stdlib.h>
#include <string.h>

#include "api/wire/problem.h"
#include "tests/unit/unit.h"

static json_t *problem_with(enum problem problem, const char *detail)
{
	size_t len;
	char *text = problem_text(problem, "req_1", detail, NULL, &len);
	json_t *json = json_loadb(text, len, 0, NULL);

	free(text);
	assert_non_null(json);
	return json;
}

static void a_detail_is_a_sentence(void **state)
{
	static const struct {
		const char *detail, *shown;
	} rows[] = {
		{"the store is full", "The store is full."},
		{"no such key", "No such key."},
		{"revoked", "Revoked."},
		{"Redis is down: connection refused", "Redis is down: connection refused."},
		{"A sentence already.", "A sentence already."},
		{"Is it?", "Is it?"},
		{"`cursor` is too long", "`cursor` is too long."},
		{"redis://host is down", "redis://host is down."},
		{"msg_1 is gone", "msg_1 is gone."},
		{"", NULL},
		{NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *json = problem_with(PROBLEM_UNAVAILABLE, rows[i].detail);
		const char *shown = json_string_value(json_object_get(json, "detail"));

		if (rows[i].shown)
			assert_string_equal(shown, rows[i].shown);
		else
			assert_null(json_object_get(json, "detail"));
		json_decref(json);
	}
}

static void every_meaning_is_a_sentence_and_every_title_a_phrase(void **state)
{
	(void)state;
	for (int p = 0; p <= PROBLEM_NOT_CONFIGURED; p++) {
		const char *meaning = problem_meaning((enum problem)p);
		const char *title = problem_title((enum problem)p);

		assert_in_range(meaning[0], 'A', 'Z');
		assert_int_equal(meaning[strlen(meaning) - 1], '.');
		assert_in_range(title[0], 'A', 'Z');
		assert_null(strchr(title, '.') && !strstr(title, "HTTP/1.") ? title : NULL);
	}
}

UNIT_TESTS(cmocka_unit_test(a_detail_is_a_sentence),
	   cmocka_unit_test(every_meaning_is_a_sentence_and_every_title_a_phrase))
