/* SMTP replies and bounces as JSON. */
#include <stdlib.h>
#include <string.h>

#include "server/events/reply.h"
#include "tests/unit/unit.h"

static void check(json_t *take_json, const char *wanted)
{
	char *text = json_dumps(take_json, JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(take_json);
}

static void a_reply_says_who_wrote_it(void **state)
{
	(void)state;
	check(reply_json(450, "4.2.0 later"),
	      "{\"code\":450,\"text\":\"4.2.0 later\",\"source\":\"remote\"}");
	check(reply_json(0, "no mail server could be reached"),
	      "{\"text\":\"no mail server could be reached\",\"source\":\"local\"}");
}

static void a_bounce_has_its_class_and_codes(void **state)
{
	static const struct {
		int code;
		const char *text, *wanted;
	} rows[] = {
		{550, "5.1.1 no such user",
		 "{\"class\":\"recipient\",\"is_permanent\":true,\"is_suppressed\":true,\"smtp_"
		 "code\":550,"
		 "\"enhanced_code\":\"5.1.1\",\"text\":\"5.1.1 no such user\","
		 "\"source\":\"remote\"}"},
		{554, "5.7.1 blocked",
		 "{\"class\":\"unknown\",\"is_permanent\":true,\"is_suppressed\":false,\"smtp_"
		 "code\":554,"
		 "\"enhanced_code\":\"5.7.1\",\"text\":\"5.7.1 blocked\",\"source\":\"remote\"}"},
		{550, "no",
		 "{\"class\":\"unknown\",\"is_permanent\":true,\"is_suppressed\":false,\"smtp_"
		 "code\":550,\"text\":\"no\","
		 "\"source\":\"remote\"}"},
		{0, "the domain does not exist",
		 "{\"class\":\"unknown\",\"is_permanent\":true,\"is_suppressed\":false,"
		 "\"text\":\"the domain does not exist\",\"source\":\"local\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(reply_bounce_json(rows[i].code, rows[i].text, i == 0), rows[i].wanted);
}

UNIT_TESTS(cmocka_unit_test(a_reply_says_who_wrote_it),
	   cmocka_unit_test(a_bounce_has_its_class_and_codes))
