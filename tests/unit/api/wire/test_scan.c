/* What is refused of heads and chunks before the HTTP library reads them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire/chunks.h"
#include "api/http/head.h"
#include "api/wire/scan.h"
#include "tests/unit/unit.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"

static void each_head_is_judged(void **state)
{
	static const struct {
		const char *head;
		enum scan_verdict verdict;
		enum problem problem;
	} rows[] = {
		{GET "\r\n", SCAN_GOOD, 0},
		{"\r\n\r\n" GET "\r\n", SCAN_GOOD, 0},
		{GET "Content-Length: 12 \r\n\r\n", SCAN_GOOD, 0},
		{GET "Content-Length:\t12\r\n\r\nbody", SCAN_GOOD, 0},
		/* head.c's to refuse */
		{"GET / HTTP/1.1\nHost: h\n\n", SCAN_GOOD, 0},
		{GET "X: a\r\n folded\r\n\r\n", SCAN_GOOD, 0},
		{"", SCAN_MORE, 0},
		{"GET / HT", SCAN_MORE, 0},
		{GET, SCAN_MORE, 0},
		{GET "Content-Length: 2", SCAN_MORE, 0},
		{"GET /\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{"GET\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{"GET / http/1.1\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{"GET / HTTP/1.2\r\n", SCAN_BAD, PROBLEM_VERSION},
		{"GET / HTTP/2.0\r\n", SCAN_BAD, PROBLEM_VERSION},
		{"GET / HTTP/11\r\n", SCAN_BAD, PROBLEM_VERSION},
		{GET "Content-Length: 2x\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{GET "content-length: -2\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{GET "Content-Length: +2\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{GET "Content-Length:\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{GET "Content-Length: 1234567890123456789\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
		{GET "no colon\r\n", SCAN_BAD, PROBLEM_BAD_REQUEST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct scan out;
		enum scan_verdict verdict = scan_head(rows[i].head, strlen(rows[i].head), &out);

		if (verdict != rows[i].verdict ||
		    (verdict == SCAN_BAD && (out.problem != rows[i].problem || !out.detail)))
			fail_msg("%s: %d", rows[i].head, verdict);
	}
}

static void the_end_of_the_head_and_chunks_are_found(void **state)
{
	static const char head[] = GET "transfer-encoding: chunked\r\n\r\n0\r\n\r\n";
	struct scan out;

	(void)state;
	assert_int_equal(scan_head(head, sizeof(head) - 1, &out), SCAN_GOOD);
	assert_int_equal(out.len, sizeof(head) - 1 - 5);
	assert_true(out.is_chunked);
	assert_int_equal(scan_head(GET "\r\n", strlen(GET "\r\n"), &out), SCAN_GOOD);
	assert_false(out.is_chunked);
}

static enum scan_verdict scan_long(const char *before, const char *piece, size_t n,
				   const char *after, struct scan *out)
{
	static char head[70000];
	size_t len = (size_t)snprintf(head, sizeof(head), "%s", before);

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(head + len, sizeof(head) - len, "%s", piece);
	len += (size_t)snprintf(head + len, sizeof(head) - len, "%s", after);
	return scan_head(head, len, out);
}

static void a_head_that_is_too_long_is_refused_before_its_end(void **state)
{
	struct scan out;

	(void)state;
	assert_int_equal(scan_long("GET /", "a", SCAN_HEAD_MAX - 5, "", &out), SCAN_MORE);
	assert_int_equal(scan_long("GET /", "a", SCAN_HEAD_MAX, "", &out), SCAN_BAD);
	assert_int_equal(out.problem, PROBLEM_URI_TOO_LONG);
	assert_int_equal(scan_long(GET "X: ", "a", SCAN_HEAD_MAX, "", &out), SCAN_BAD);
	assert_int_equal(out.problem, PROBLEM_HEAD_TOO_LARGE);
	assert_int_equal(scan_long(GET "Cookie: ", "abcdefghij", 1000, "\r\n\r\n", &out),
			 SCAN_GOOD);
	assert_int_equal(scan_long(GET "Cookie: ", "a=b; ", 1000, "\r\n\r\n", &out), SCAN_BAD);
	assert_int_equal(out.problem, PROBLEM_HEAD_TOO_LARGE);
	assert_int_equal(scan_long(GET, "X: y\r\n", 300, "\r\n", &out), SCAN_GOOD);
	assert_int_equal(scan_long(GET, "X: y\r\n", 500, "\r\n", &out), SCAN_BAD);
}

static const struct chunks_case {
	const char *body;
	enum scan_verdict verdict;
	size_t used;
} bodies[] = {
	{"0\r\n\r\n", SCAN_GOOD, 5},
	{"2\r\n{}\r\n0\r\n\r\nGET", SCAN_GOOD, 12},
	{"0A\r\n0123456789\r\n0\r\n\r\n", SCAN_GOOD, 21},
	{"2\r\n\r\n\r\n0\r\n\r\n", SCAN_GOOD, 12},
	{"0\r\nX: y\r\nZ: a\tb\r\n\r\n", SCAN_GOOD, 19},
	{"00000000\r\n\r\n", SCAN_GOOD, 12},
	{"", SCAN_MORE, 0},
	{"2\r\n{}\r\n0\r\n\r", SCAN_MORE, 11},
	{"2\n{}\r\n", SCAN_BAD, 0},
	{"2\r{}", SCAN_BAD, 0},
	{"2 \r\n{}", SCAN_BAD, 0},
	{"2;a=b\r\n{}", SCAN_BAD, 0},
	{"2\r\n{}\n0\r\n\r\n", SCAN_BAD, 0},
	{"2\r\n{}x", SCAN_BAD, 0},
	{"\r\n", SCAN_BAD, 0},
	{"zz\r\n", SCAN_BAD, 0},
	{"-1\r\n", SCAN_BAD, 0},
	{"0x2\r\n", SCAN_BAD, 0},
	{"000000001\r\n", SCAN_BAD, 0},
	{"0\r\n\n", SCAN_BAD, 0},
	{"0\n\n", SCAN_BAD, 0},
	{"0\r\nX: y\n\r\n", SCAN_BAD, 0},
	{"0\r\nX: y\r\rZ", SCAN_BAD, 0},
};

static void each_chunked_body_is_judged_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct chunks_case *row = &bodies[i];
		size_t len = strlen(row->body), used = 0, sum = 0;
		struct chunks whole = {0}, pieces = {0};
		enum scan_verdict verdict = chunks_scan(&whole, row->body, len, &used), last;

		if (verdict != row->verdict || (verdict != SCAN_BAD && used != row->used))
			fail_msg("%s: %d, %zu", row->body, verdict, used);
		last = SCAN_MORE;
		for (size_t k = 0; k < len && last == SCAN_MORE; k++) {
			last = chunks_scan(&pieces, row->body + k, 1, &used);
			sum += used;
		}
		if (last != row->verdict || (last != SCAN_BAD && sum != row->used))
			fail_msg("%s in pieces: %d, %zu", row->body, last, sum);
	}
}

UNIT_TESTS(cmocka_unit_test(each_head_is_judged),
	   cmocka_unit_test(the_end_of_the_head_and_chunks_are_found),
	   cmocka_unit_test(a_head_that_is_too_long_is_refused_before_its_end),
	   cmocka_unit_test(each_chunked_body_is_judged_in_any_pieces))
