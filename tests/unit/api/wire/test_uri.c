/* Request targets and the route table's matching. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire/router.h"
#include "api/wire/uri.h"
#include "server/store/projects/keys.h"
#include "tests/unit/unit.h"

static const struct route table[] = {
	{HTTP_GET, "/v1/messages/{id}", SCOPE_READ, NULL, "msg", BODY_NONE},
	{HTTP_POST, "/v1/messages/batch", SCOPE_SEND, NULL, NULL, BODY_LARGE},
	{HTTP_POST, "/v1/messages/{id}/cancel", SCOPE_SEND, NULL, "msg", BODY_NONE},
	{HTTP_PATCH, "/v1/webhooks/{id}/deliveries/{delivery}", SCOPE_MANAGE, NULL, "whk",
	 BODY_LARGE},
};
static const struct routes routes = {table, sizeof(table) / sizeof(*table)};

static char scratch[URI_SCRATCH(URI_MAX + 1)];

static void a_path_is_the_same_with_and_without_a_slash_at_its_end(void **state)
{
	static const char *const targets[] = {"/a/b", "/a/b/", "http://x/a/b/?c=/", "/a/b?c"};
	struct uri u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		assert_int_equal(uri_parse(&u, targets[i], scratch, &why), URI_OK);
		assert_string_equal(u.path, "/a/b");
	}
}

static void each_target_is_split_or_refused(void **state)
{
	static const struct {
		const char *target;
		enum uri_verdict verdict;
		const char *segments; /* joined by | */
		const char *pairs;    /* name=value; */
	} rows[] = {
		{"/a/b", URI_OK, "a|b|", ""},
		{"/a%20b", URI_OK, "a b|", ""},
		{"/%C3%BC", URI_OK, "\xc3\xbc|", ""},
		{"/a:b@c;d=e,f+g", URI_OK, "a:b@c;d=e,f+g|", ""},
		{"http://x:80/a?b", URI_OK, "a|", "b=;"},
		{"HTTPS://x/a", URI_OK, "a|", ""},
		{"/a?x=1&y=%26&z", URI_OK, "a|", "x=1;y=&;z=;"},
		{"/a?", URI_OK, "a|", ""},
		{"/a?&&x=1&", URI_OK, "a|", "x=1;"},
		{"/a?x=1=2", URI_OK, "a|", "x=1=2;"},
		{"/a?x=a+b?/", URI_OK, "a|", "x=a b?/;"},
		{"/a?=1", URI_OK, "a|", "=1;"},
		{"/", URI_NOT_FOUND, "", ""},
		{"//", URI_NOT_FOUND, "", ""},
		{"/a/", URI_OK, "a|", ""},
		{"/a/?x=1", URI_OK, "a|", "x=1;"},
		{"/a//", URI_NOT_FOUND, "a|", ""},
		{"/a//b", URI_NOT_FOUND, "a|b|", ""},
		{"/./a", URI_NOT_FOUND, "a|", ""},
		{"/a/..", URI_NOT_FOUND, "a|", ""},
		{"/%2e%2E/a", URI_NOT_FOUND, "a|", ""},
		{"/a%2fb", URI_OK, "a/b|", ""},
		{"/a%5Cb", URI_NOT_FOUND, "", ""},
		{"/1/2/3/4/5/6/7/8/9", URI_NOT_FOUND, "1|2|3|4|5|6|7|8|", ""},
		{"", URI_BAD, "", ""},
		{"a", URI_BAD, "", ""},
		{"*", URI_BAD, "", ""},
		{"http://x", URI_BAD, "", ""},
		{"/a%00", URI_BAD, "", ""},
		{"/a%", URI_BAD, "", ""},
		{"/a%1", URI_BAD, "", ""},
		{"/a%zz", URI_BAD, "", ""},
		{"/a%0a", URI_BAD, "", ""},
		{"/a%7F", URI_BAD, "", ""},
		{"/a b", URI_BAD, "", ""},
		{"/a\"b", URI_BAD, "", ""},
		{"/a\xc3\xbc", URI_BAD, "", ""},
		{"/%c0%ae", URI_BAD, "", ""},
		{"/%ed%a0%80", URI_BAD, "", ""},
		{"/%ff", URI_BAD, "", ""},
		{"/a#b", URI_BAD, "", ""},
		{"/a?x=%00", URI_BAD, "a|", ""},
		{"/a?x=1&x=2", URI_BAD, "a|", "x=1;"},
		{"/a?x=1&%78=2", URI_BAD, "a|", "x=1;"},
		{"/a?x=%0d%0a", URI_BAD, "a|", ""},
		{"/a?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", URI_BAD, "a|",
		 "1=;2=;3=;4=;5=;6=;7=;8=;9=;10=;11=;12=;13=;14=;15=;16=;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char segments[200] = "", pairs[200] = "";
		const char *why = NULL;
		struct uri u;
		enum uri_verdict verdict = uri_parse(&u, rows[i].target, scratch, &why);

		for (size_t k = 0; k < u.n_segments; k++)
			snprintf(segments + strlen(segments), 100, "%s|", u.segments[k]);
		for (size_t k = 0; k < u.n_pairs; k++)
			snprintf(pairs + strlen(pairs), 100, "%s=%s;", u.pairs[k].name,
				 u.pairs[k].value);
		if (verdict != rows[i].verdict || strcmp(segments, rows[i].segments) != 0 ||
		    strcmp(pairs, rows[i].pairs) != 0)
			fail_msg("%s: %d %s %s", rows[i].target, verdict, segments, pairs);
		if (verdict == URI_BAD)
			assert_non_null(why);
	}
}

static void the_path_is_as_received_and_the_query_not_in_it(void **state)
{
	const char *why;
	struct uri u;

	(void)state;
	assert_int_equal(uri_parse(&u, "/a%20b?c=d", scratch, &why), URI_OK);
	assert_string_equal(u.path, "/a%20b");
	assert_string_equal(uri_query(&u, "c"), "d");
	assert_null(uri_query(&u, "d"));
}

static void scratch_is_never_overrun(void **state)
{
	(void)state;
	/* Under ASan: room for exactly what the contract says. */
	for (size_t len = 0; len < 60; len++) {
		static const char *const fills[] = {"/",     "a",   "%41", "/a?",
						    "/?a=&", "/?&", "/?=", "?"};

		for (size_t f = 0; f < sizeof(fills) / sizeof(*fills); f++) {
			char *target = malloc(len + 1), *room = malloc(URI_SCRATCH(len));
			const char *why;
			struct uri u;

			assert_non_null(target);
			assert_non_null(room);
			for (size_t i = 0; i < len; i++)
				target[i] = fills[f][i % strlen(fills[f])];
			target[len] = 0;
			uri_parse(&u, target, room, &why);
			free(room);
			free(target);
		}
	}
}

static void a_target_that_is_too_long_is_not_read(void **state)
{
	static char target[URI_MAX + 2];
	const char *why;
	struct uri u;

	(void)state;
	memset(target, 'a', sizeof(target) - 1);
	target[0] = '/';
	assert_int_equal(uri_parse(&u, target, scratch, &why), URI_TOO_LONG);
	assert_int_equal(u.n_segments, 0);
	target[URI_MAX] = 0;
	assert_int_equal(uri_parse(&u, target, scratch, &why), URI_OK);
}

#define ID "01arz3ndektsv4rrffq69g5fav"

static void each_path_finds_its_row(void **state)
{
	static const struct {
		const char *method, *target;
		int row; /* -1: none */
		const char *allow;
		const char *param; /* the last one */
	} rows[] = {
		{"GET", "/v1/messages/msg_" ID, 0, "GET, HEAD, OPTIONS", "msg_" ID},
		{"HEAD", "/v1/messages/msg_" ID, 0, "GET, HEAD, OPTIONS", "msg_" ID},
		{"POST", "/v1/messages/msg_" ID, -1, "GET, HEAD, OPTIONS", NULL},
		{"POST", "/v1/messages/batch", 1, "POST, OPTIONS", NULL},
		{"GET", "/v1/messages/batch", -1, "POST, OPTIONS", NULL},
		{"GET", "/v1/messages/key_" ID, -1, "OPTIONS", NULL},
		{"GET", "/v1/messages", -1, "OPTIONS", NULL},
		{"GET", "/v1", -1, "OPTIONS", NULL},
		{"GET", "/v1/messages/msg_" ID "/cancel", -1, "POST, OPTIONS", NULL},
		{"POST", "/v1/messages/msg_" ID "/cancel", 2, "POST, OPTIONS", "msg_" ID},
		{"POST", "/v1/messages/msg_" ID "/cancel/x", -1, "OPTIONS", NULL},
		{"PATCH", "/v1/webhooks/whk_" ID "/deliveries/x.y", 3, "PATCH, OPTIONS", "x.y"},
		{"PATCH", "/v1/webhooks/whk_x/deliveries/x.y", -1, "OPTIONS", NULL},
		{"patch", "/v1/webhooks/whk_" ID "/deliveries/x", -1, "PATCH, OPTIONS", NULL},
		{"OPTIONS", "/v1/messages/batch", -1, "POST, OPTIONS", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum http_method method = HTTP_GET;
		enum router_method kind = router_method(rows[i].method, &method);
		char allow[ROUTER_ALLOW_MAX];
		struct router_match match;
		const char *why;
		struct uri u;

		assert_int_equal(uri_parse(&u, rows[i].target, scratch, &why), URI_OK);
		router_lookup(&routes, &u, kind, method, &match);
		router_allow(match.allowed, allow);
		if ((rows[i].row < 0 ? NULL : &table[rows[i].row]) != match.route ||
		    strcmp(allow, rows[i].allow) != 0)
			fail_msg("%s %s: %s, allowed: %s", rows[i].method, rows[i].target,
				 match.route ? match.route->path : "-", allow);
		if (rows[i].param)
			assert_string_equal(match.params[match.n_params - 1], rows[i].param);
	}
}

UNIT_TESTS(cmocka_unit_test(a_path_is_the_same_with_and_without_a_slash_at_its_end),
	   cmocka_unit_test(each_target_is_split_or_refused),
	   cmocka_unit_test(the_path_is_as_received_and_the_query_not_in_it),
	   cmocka_unit_test(scratch_is_never_overrun),
	   cmocka_unit_test(a_target_that_is_too_long_is_not_read),
	   cmocka_unit_test(each_path_finds_its_row))
