/* Requests and the responses that HTTP requires; most of them must be refused. */
#include "tests/unit/api/http/client.h"

enum { OPEN, CLOSED };

struct row {
	const char *name;
	const char *request;
	int status;
	const char *has; /* in the response */
	int after;
};

#define BAD_REQUEST 400, "bad-request", CLOSED
#define CHUNKED POST("/v1/echo", "Transfer-Encoding: chunked\r\n")

static const struct row rows[] = {
	/* valid requests */
	{"a POST gets a response", POST("/v1/echo", "Content-Length: 2\r\n") "{}", 202, "\"len\":2",
	 OPEN},
	{"a chunked POST gets a response", CHUNKED "2\r\n{}\r\n3\r\n   \r\n0\r\n\r\n", 202,
	 "\"len\":5", OPEN},
	{"a slow handler", POST("/v1/later", "Content-Length: 2\r\n") "{}", 202, "\"len\":2", OPEN},
	{"a slow key",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: bearer pn_live_slow\r\n\r\n",
	 200, "prj_1", OPEN},
	{"a slow wrong key",
	 "POST /v1/echo HTTP/1.1\r\n" HOST JSON
	 "Authorization: Bearer pn_live_slow_not\r\nContent-Length: 2\r\n\r\n{}",
	 401, "unauthorized", CLOSED},
	{"HTTP/1.0 gets a response and a close", "GET /healthz HTTP/1.0\r\n\r\n", 200, "ok",
	 CLOSED},
	{"absolute form", "GET http://h/healthz HTTP/1.1\r\n" HOST "\r\n", 200, "ok", OPEN},
	{"a query is decoded", GET("/v1/things/msg_01arz3ndektsv4rrffq69g5fav?q=a%20b+c%C3%BC&"),
	 200, "\"q\":\"a b cü\"", OPEN},
	{"a client's request id comes back",
	 "GET /healthz HTTP/1.1\r\n" HOST "X-Request-Id: a.b-C_9\r\n\r\n", 200,
	 "X-Request-Id: a.b-C_9\r\n", OPEN},
	{"handlers' headers go out", POST("/v1/echo", "Content-Length: 2\r\n") "{}", 202,
	 "Location: /v1/somewhere\r\n", OPEN},
	{"answers to a key are not cached", POST("/v1/echo", "Content-Length: 2\r\n") "{}", 202,
	 "Cache-Control: no-store\r\n", OPEN},
	{"charset utf-8 is fine",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: Application/JSON; charset=UTF-8\r\nContent-Length: 2\r\n\r\n{}",
	 202, "", OPEN},
	{"other parameters of the type do not matter",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: application/json;odata.metadata=minimal ;charset=\"utf8\" ;\r\n"
	 "Content-Length: 2\r\n\r\n{}",
	 202, "", OPEN},
	{"a semicolon after the type",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: application/json;\r\nContent-Length: 2\r\n\r\n{}",
	 202, "", OPEN},
	{"blanks and tabs after the key",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer pn_live_good \t \r\n\r\n",
	 200, "prj_1", OPEN},
	{"a slash at the end of the path", GET("/healthz/"), 200, "ok", OPEN},
	{"a slash at the end of a path with a parameter",
	 GET("/v1/things/msg_01arz3ndektsv4rrffq69g5fav/?q=1"), 200, "prj_1", OPEN},
	{"a slash in a parameter is data", GET("/v1/names/foo%2Fbar@x.example"), 200,
	 "foo/bar@x.example", OPEN},
	{"identity is an encoding",
	 POST("/v1/echo", "Content-Encoding: identity\r\nContent-Length: 2\r\n") "{}", 202, "",
	 OPEN},
	{"a small body on GET is ignored",
	 "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 200, "ok", OPEN},

	/* framing */
	{"two equal Content-Length",
	 POST("/v1/echo", "Content-Length: 2\r\nContent-Length: 2\r\n") "{}", BAD_REQUEST},
	{"two different Content-Length",
	 POST("/v1/echo", "Content-Length: 2\r\ncontent-length: 3\r\n") "{} ", BAD_REQUEST},
	{"Content-Length and chunked",
	 POST("/v1/echo",
	      "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n") "2\r\n{}\r\n0\r\n\r\n",
	 BAD_REQUEST},
	{"chunked and Content-Length",
	 POST("/v1/echo",
	      "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n") "2\r\n{}\r\n0\r\n\r\n",
	 BAD_REQUEST},
	{"chunked, identity", POST("/v1/echo", "Transfer-Encoding: chunked, identity\r\n"),
	 BAD_REQUEST},
	{"identity", POST("/v1/echo", "Transfer-Encoding: identity\r\n"), BAD_REQUEST},
	{"two Transfer-Encoding",
	 POST("/v1/echo", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	 BAD_REQUEST},
	{"a blank before the colon",
	 POST("/v1/echo", "Transfer-Encoding : chunked\r\n") "2\r\n{}\r\n0\r\n\r\n", BAD_REQUEST},
	{"a folded Transfer-Encoding",
	 POST("/v1/echo", "Transfer-Encoding:\r\n chunked\r\n") "2\r\n{}\r\n0\r\n\r\n",
	 BAD_REQUEST},
	{"a folded header", POST("/v1/echo", "X: a\r\n b\r\nContent-Length: 2\r\n") "{}",
	 BAD_REQUEST},
	{"a header folded by a tab at the end",
	 POST("/v1/echo", "Content-Length: 2\r\n\t1\r\n") "{}", BAD_REQUEST},
	{"chunked with HTTP/1.0",
	 "POST /v1/echo HTTP/1.0\r\n" HOST KEY JSON "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 BAD_REQUEST},
	{"a bare LF after a header", "GET /healthz HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", BAD_REQUEST},
	{"a bare LF after the request line", "GET /healthz HTTP/1.1\nHost: h\r\n\r\n", BAD_REQUEST},
	{"a bare LF at the end of the head", "GET /healthz HTTP/1.1\r\nHost: h\r\n\n", BAD_REQUEST},
	{"a bare CR", "GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", BAD_REQUEST},
	{"an empty header name", "GET /healthz HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", BAD_REQUEST},
	{"two blanks in the request line", "GET  /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "",
	 CLOSED},
	{"a Content-Length that is no number", POST("/v1/echo", "Content-Length: 2x\r\n") "{}",
	 BAD_REQUEST},
	{"a negative Content-Length", POST("/v1/echo", "Content-Length: -2\r\n") "{}", BAD_REQUEST},
	{"a Content-Length that is too large for any reader",
	 POST("/v1/echo", "Content-Length: 99999999999999999999999\r\n"), BAD_REQUEST},
	{"another version of HTTP", "GET /healthz HTTP/2.0\r\n" HOST "\r\n", 505, "http-version",
	 CLOSED},
	{"no version of HTTP", "GET /healthz\r\n\r\n", BAD_REQUEST},
	{"a header without a colon", "GET /healthz HTTP/1.1\r\n" HOST "nothing\r\n\r\n",
	 BAD_REQUEST},
	{"a bad chunk", CHUNKED "zz\r\n{}\r\n", BAD_REQUEST},
	{"a chunk size that ends in LF", CHUNKED "2\n{}\r\n0\r\n\r\n", BAD_REQUEST},
	{"a chunk that ends in LF", CHUNKED "2\r\n{}\n0\r\n\r\n", BAD_REQUEST},
	{"a chunk extension", CHUNKED "2;a=b\r\n{}\r\n0\r\n\r\n", BAD_REQUEST},
	{"chunks", CHUNKED "2\r\n{}\r\n0\r\n\r\n", 202, "", OPEN},

	/* headers that must occur once */
	{"no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400, "Host", CLOSED},
	{"two Host", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", BAD_REQUEST},
	{"a Host with a path", "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host", CLOSED},
	{"two Authorization", POST("/v1/echo", KEY "Content-Length: 2\r\n") "{}", BAD_REQUEST},
	{"two Content-Type", POST("/v1/echo", JSON "Content-Length: 2\r\n") "{}", BAD_REQUEST},
	{"two Idempotency-Key",
	 POST("/v1/echo", "Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\n") "{}",
	 BAD_REQUEST},
	{"two Content-Encoding",
	 POST("/v1/echo",
	      "Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n") "{}",
	 BAD_REQUEST},

	/* keys */
	{"no key", "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST "\r\n", 401,
	 "WWW-Authenticate: Bearer", OPEN},
	{"a wrong key",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer pn_live_wrong\r\n\r\n",
	 401, "WWW-Authenticate: Bearer", OPEN},
	{"Basic",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Basic cG5fbGl2ZV9nb29kOg==\r\n\r\n",
	 401, "unauthorized", OPEN},
	{"two blanks after Bearer",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer  pn_live_good\r\n\r\n",
	 401, "unauthorized", OPEN},
	{"no key after Bearer",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer \r\n\r\n",
	 401, "unauthorized", OPEN},
	{"a key that is not ASCII",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer pn_live_g\xc3\xbc"
	 "d\r\n\r\n",
	 401, "unauthorized", OPEN},
	{"a key in the query",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav?key=pn_live_good HTTP/1.1\r\n" HOST "\r\n",
	 401, "unauthorized", OPEN},
	{"a key that may only read",
	 "POST /v1/echo HTTP/1.1\r\n" HOST JSON
	 "Authorization: Bearer pn_live_read\r\nContent-Length: 2\r\n\r\n{}",
	 403, "This needs the scope `send`. The key has `read`.", CLOSED},
	{"a key that may only send",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer pn_live_send\r\n\r\n",
	 403, "forbidden", OPEN},
	{"a key that may not manage",
	 "DELETE /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST KEY "\r\n", 403,
	 "forbidden", OPEN},
	{"a key while the store is away, to send",
	 "POST /v1/echo HTTP/1.1\r\n" HOST JSON
	 "Authorization: Bearer pn_live_lost\r\nContent-Length: 2\r\n\r\n{}",
	 503, "not-accepted", CLOSED},
	{"a key while the store is away, to read",
	 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
	 "Authorization: Bearer pn_live_lost\r\n\r\n",
	 503, "Retry-After: ", OPEN},

	/* bodies; those that are refused are not even sent */
	{"one byte too many, said before", POST("/v1/echo", "Content-Length: 200001\r\n"), 413,
	 "too-large", CLOSED},
	{"far too many", POST("/v1/echo", "Content-Length: 999999999999999999\r\n"), 413,
	 "too-large", CLOSED},
	{"a body that nobody wants",
	 "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n", 413, "too-large",
	 CLOSED},
	{"a body that is too large for its route", POST("/v1/small", "Content-Length: 65537\r\n"),
	 413, "At most 65536 octets", CLOSED},
	{"text/plain",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n",
	 415, "unsupported-type", CLOSED},
	{"no Content-Type", "POST /v1/echo HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\n\r\n", 415,
	 "unsupported-type", CLOSED},
	{"utf-16",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: application/json; charset=utf-16\r\nContent-Length: 2\r\n\r\n",
	 415, "unsupported-type", CLOSED},
	{"application/jsonx",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: application/jsonx\r\nContent-Length: 2\r\n\r\n",
	 415, "unsupported-type", CLOSED},
	{"a form",
	 "POST /v1/echo HTTP/1.1\r\n" HOST KEY
	 "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2\r\n\r\n",
	 415, "unsupported-type", CLOSED},
	{"gzip", POST("/v1/echo", "Content-Encoding: gzip\r\nContent-Length: 2\r\n"), 415,
	 "unsupported-type", CLOSED},
	{"no body", POST("/v1/echo", ""), 400, "invalid-json", OPEN},
	{"an empty body", POST("/v1/echo", "Content-Length: 0\r\n"), 400, "invalid-json", OPEN},

	/* 100-continue: the final status at once, or 100 */
	{"Expect with a wrong key",
	 "POST /v1/echo HTTP/1.1\r\n" HOST JSON
	 "Authorization: Bearer x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	 401, "unauthorized", CLOSED},
	{"Expect with a slow wrong key",
	 "POST /v1/echo HTTP/1.1\r\n" HOST JSON
	 "Authorization: Bearer slow\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	 401, "unauthorized", CLOSED},
	{"Expect with too large a body",
	 POST("/v1/echo", "Expect: 100-continue\r\nContent-Length: 200001\r\n"), 413, "too-large",
	 CLOSED},
	{"Expect", POST("/v1/echo", "Expect: 100-continue\r\nContent-Length: 2\r\n"), 100, "",
	 OPEN},

	/* methods */
	{"OPTIONS", "OPTIONS /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST "\r\n",
	 204, "Allow: GET, HEAD, DELETE, OPTIONS\r\n", OPEN},
	{"OPTIONS of nothing", "OPTIONS /v1/nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not-found",
	 OPEN},
	{"PUT", "PUT /v1/echo HTTP/1.1\r\n" HOST KEY "\r\n", 405, "Allow: POST, OPTIONS\r\n", OPEN},
	{"a made-up method", "FOO /v1/echo HTTP/1.1\r\n" HOST KEY "\r\n", 405,
	 "Allow: POST, OPTIONS\r\n", OPEN},
	{"a method in lower case", "post /v1/echo HTTP/1.1\r\n" HOST KEY JSON "\r\n", 405,
	 "Allow: ", OPEN},
	{"TRACE", "TRACE /healthz HTTP/1.1\r\n" HOST "X-Secret: echo-me\r\n\r\n", 405,
	 "Allow: ", OPEN},
	{"HEAD where there is no GET", "GET /v1/echo HTTP/1.1\r\n" HOST "\r\n", 405,
	 "Allow: ", OPEN},

	/* paths */
	{"an unknown path", GET("/v1/nothing"), 404, "not-found", OPEN},
	{"an id with another prefix", GET("/v1/things/key_01arz3ndektsv4rrffq69g5fav"), 404,
	 "not-found", OPEN},
	{"a NUL", GET("/v1/things/msg_01arz3ndektsv4rrffq69g5fav%00"), 400, "bad-request", OPEN},
	{"a slash in a segment", GET("/v1%2Fthings/msg_01arz3ndektsv4rrffq69g5fav"), 404,
	 "not-found", OPEN},
	{"dots", GET("/v1/../healthz"), 404, "not-found", OPEN},
	{"encoded dots", GET("/v1/%2e%2e/healthz"), 404, "not-found", OPEN},
	{"two slashes", GET("//healthz"), 404, "not-found", OPEN},
	{"two slashes at the end", GET("/healthz//"), 404, "not-found", OPEN},
	{"only a slash", GET("/"), 404, "not-found", OPEN},
	{"an overlong slash", GET("/v1%c0%afecho"), 400, "bad-request", OPEN},
	{"a half escape", GET("/healthz%2"), 400, "bad-request", OPEN},
	{"a query parameter twice", GET("/healthz?a=1&a=2"), 400, "twice", OPEN},
	{"a control in the query", GET("/healthz?a=%0d%0a"), 400, "bad-request", OPEN},
	{"no path", GET("healthz"), 400, "bad-request", OPEN},
	{"a star", "GET * HTTP/1.1\r\n" HOST "\r\n", 400, "bad-request", OPEN},
	{"an id too long for a key of Redis",
	 GET("/v1/things/msg_01arz3ndektsv4rrffq69g5favaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 404,
	 "not-found", OPEN},

	/* text that a response must not have */
	{"an error within", GET("/fail"), 500, "\"title\":\"Internal error\"", OPEN},
};

static void try_row(const struct row *row)
{
	static char answer[20000];
	int fd = dial(&shared), status;

	say(fd, row->request, strlen(row->request));
	status = hear(fd, answer, sizeof(answer), true);
	if (status != row->status || !strstr(answer, row->has))
		fail_msg("%s: %d, wanted %d and \"%s\"; the answer: %s", row->name, status,
			 row->status, row->has, answer);
	if (closes(fd, row->after == OPEN ? 20 : 1000) != (row->after == CLOSED))
		fail_msg("%s: the connection is %s", row->name,
			 row->after == OPEN ? "closed" : "open");
	if (strstr(answer, "Injected") || strstr(answer, "echo-me") || strstr(answer, "secret of"))
		fail_msg("%s: the answer says too much: %s", row->name, answer);
	if (strstr(answer, "application/problem+json") && !strstr(answer, "\"request_id\":\""))
		fail_msg("%s: a problem without request_id: %s", row->name, answer);
	close(fd);
}

static void each_request_gets_the_response_that_http_requires(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		try_row(&rows[i]);
}

static void a_nul_in_the_head_is_refused(void **state)
{
	static const char head[] = "GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
	static const char line[] = "GET /healthz\0/x HTTP/1.1\r\nHost: h\r\n\r\n";
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	say(fd, head, sizeof(head) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 400);
	close(fd);
	fd = dial(&shared);
	say(fd, line, sizeof(line) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 400);
	close(fd);
}

/* Sends a request with n zeros between the two texts, and checks status and text of the response.
 */
static void check_long(int fd, const char *before, int n, const char *after, int status,
		       const char *words)
{
	static char request[70000], answer[20000];
	int found;

	snprintf(request, sizeof(request), "%s%0*d%s", before, n, 0, after);
	say(fd, request, strlen(request));
	found = hear(fd, answer, sizeof(answer), true);
	if (found != status || !strstr(answer, words))
		fail_msg("%s, %d zeros: %d %s", before, n, found, answer);
}

static void a_head_that_is_too_long_is_refused(void **state)
{
	static const char target[] = "GET /", target_end[] = " HTTP/1.1\r\n" HOST "\r\n";
	static const char head_end[] = "\r\n\r\n";
	static const char uri_too_long[] = "/problems/uri-too-long";
	static const char head_too_large[] = "/problems/head-too-large";
	int fd = dial(&shared);

	(void)state;
	check_long(fd, target, 65000, target_end, 414, uri_too_long);
	close(fd);
	fd = dial(&shared);
	check_long(fd, target, 5000, target_end, 404, "");
	check_long(fd, target, 8192, target_end, 414, uri_too_long);
	check_long(fd, "GET /healthz HTTP/1.1\r\n" HOST "Cookie: ", 8192, head_end, 200, "");
	check_long(fd, "GET /healthz HTTP/1.1\r\n" HOST "X: ", 16384, head_end, 431,
		   head_too_large);
	close(fd);
	fd = dial(&shared);
	check_long(fd, "GET /healthz HTTP/1.1\r\n" HOST "X: ", 20000, head_end, 431,
		   head_too_large);
	close(fd);
	fd = dial(&shared);
	check_long(fd,
		   "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
		   "Authorization: Bearer ",
		   6000, head_end, 401, "");
	close(fd);
}

static void a_bad_head_is_refused_whatever_came_before_it(void **state)
{
	static const char *const before[] = {
		GET("/healthz"),
		POST("/v1/echo", "Content-Length: 2\r\n") "{}",
		CHUNKED "2\r\n{}\r\n0\r\n\r\n",
	};
	static const char bad[] = POST("/v1/echo", "Content-Length: 2x\r\n");
	static const size_t pieces[] = {sizeof(bad) - 1, 7};
	char answer[4000];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(before) / sizeof(*before); i++) {
		size_t piece = pieces[i % 2];
		int fd = dial(&shared);

		for (int n = 0; n < 3; n++) {
			say(fd, before[i / 2], strlen(before[i / 2]));
			assert_in_range(hear(fd, answer, sizeof(answer), true), 200, 202);
		}
		for (size_t k = 0; k < sizeof(bad) - 1; k += piece) {
			say(fd, bad + k, sizeof(bad) - 1 - k < piece ? sizeof(bad) - 1 - k : piece);
			usleep(1000);
		}
		assert_int_equal(hear(fd, answer, sizeof(answer), true), 400);
		assert_non_null(strstr(answer, "/problems/bad-request"));
		assert_true(closes(fd, 1000));
		close(fd);
	}
}

/* libmicrohttpd may read octets before the guard looks at them. Here the guard looks at none. */
static void no_page_of_the_library_leaves_if_the_guard_saw_nothing(void **state)
{
	static char long_header[40000], many_cookies[20000];
	const struct {
		const char *request;
		int status;
	} cases[] = {
		{POST("/v1/echo", "Content-Length: 2x\r\n") "{}", 400},
		{POST("/v1/echo", "Content-Length: 99999999999999999999999\r\n"), 400},
		{CHUNKED "zz\r\n{}\r\n0\r\n\r\n", 400},
		{"GET /healthz HTTP/9.9\r\n" HOST "\r\n", 400},
		{"GET /healthz HTTP/1.1\r\n\r\n", 400},
		{long_header, 431},
		{many_cookies, 431},
	};
	struct child blind = {.is_blind = true};
	char answer[4000];

	(void)state;
	snprintf(long_header, sizeof(long_header), "GET /healthz HTTP/1.1\r\n" HOST "X: %036000d",
		 0);
	snprintf(many_cookies, sizeof(many_cookies),
		 "GET /healthz HTTP/1.1\r\n" HOST "Cookie: a=%017000d; c=d\r\n\r\n", 0);
	start_child(&blind, 0);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		int fd = dial(&blind);

		if (i % 2) {
			say(fd, GET("/healthz"), strlen(GET("/healthz")));
			assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
		}
		say(fd, cases[i / 2].request, strlen(cases[i / 2].request));
		assert_int_equal(hear(fd, answer, sizeof(answer), true), cases[i / 2].status);
		if (!strstr(answer, "application/problem+json") || strstr(answer, "<html"))
			fail_msg("case %zu: %s", i, answer);
		assert_true(closes(fd, 1000));
		close(fd);
	}
	stop_child(&blind);
}

static void a_chunked_body_in_pieces_is_taken(void **state)
{
	static const char head[] = CHUNKED;
	static const char body[] = "A\r\n0123456789\r\n1\r\nx\r\n0\r\nX: y\r\n\r\n";
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	for (int n = 0; n < 3; n++) {
		say(fd, head, sizeof(head) - 1);
		for (size_t k = 0; k < sizeof(body) - 1; k++) {
			say(fd, body + k, 1);
			usleep(500);
		}
		assert_int_equal(hear(fd, answer, sizeof(answer), true), 202);
		assert_non_null(strstr(answer, "\"len\":11"));
	}
	close(fd);
}

/* The head and the first chunk are more than the guard looks at in search of a head. */
static void a_bad_chunk_far_after_the_head_is_refused(void **state)
{
	static const char head[] = CHUNKED "4E20\r\n";
	static const char bad[] = "\r\n2\n{}\r\n0\r\n\r\n";
	static char request[sizeof(head) - 1 + 20000 + sizeof(bad) - 1];
	char answer[4000];
	int fd = dial(&shared);

	(void)state;
	memset(request, ' ', sizeof(request));
	memcpy(request, head, sizeof(head) - 1);
	memcpy(request + sizeof(head) - 1 + 20000, bad, sizeof(bad) - 1);
	say(fd, request, sizeof(request));
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 400);
	assert_non_null(strstr(answer, "/problems/bad-request"));
	assert_true(closes(fd, 1000));
	close(fd);
}

static void wrong_key_and_no_key_look_the_same(void **state)
{
	static const char *const headers[] = {"", "Authorization: Bearer pn_live_wrong\r\n",
					      "Authorization: Basic eA==\r\n"};
	char answers[3][4000], request[300];

	(void)state;
	for (int i = 0; i < 3; i++) {
		int fd = dial(&shared);
		char *date;

		snprintf(request, sizeof(request),
			 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
			 "X-Request-Id: same\r\n%s\r\n",
			 headers[i]);
		say(fd, request, strlen(request));
		assert_int_equal(hear(fd, answers[i], sizeof(answers[i]), true), 401);
		date = strstr(answers[i], "Date: ");
		assert_non_null(date);
		memset(date, '-', strcspn(date, "\r"));
		close(fd);
	}
	assert_string_equal(answers[0], answers[1]);
	assert_string_equal(answers[0], answers[2]);
}

UNIT_TESTS_IN(start_shared, stop_shared,
	      cmocka_unit_test(each_request_gets_the_response_that_http_requires),
	      cmocka_unit_test(a_nul_in_the_head_is_refused),
	      cmocka_unit_test(a_head_that_is_too_long_is_refused),
	      cmocka_unit_test(a_bad_head_is_refused_whatever_came_before_it),
	      cmocka_unit_test(no_page_of_the_library_leaves_if_the_guard_saw_nothing),
	      cmocka_unit_test(a_chunked_body_in_pieces_is_taken),
	      cmocka_unit_test(a_bad_chunk_far_after_the_head_is_refused),
	      cmocka_unit_test(wrong_key_and_no_key_look_the_same))
