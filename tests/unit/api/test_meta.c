/* The real route table: what is open to all, and that nothing else is. */
#define REAL_ROUTES
/* The real handlers are linked; the linker sends their calls of these four here (see the
 * Makefile). */
#define keys_find __wrap_keys_find           /* NOLINT(bugprone-reserved-identifier) */
#define redis_is_ready __wrap_redis_is_ready /* NOLINT(bugprone-reserved-identifier) */
#define redis_write_refusing                                                                       \
	__wrap_redis_write_refusing                    /* NOLINT(bugprone-reserved-identifier)     \
							*/
#define redis_write_metrics __wrap_redis_write_metrics /* NOLINT(bugprone-reserved-identifier) */
#define relay_watch_holds __wrap_relay_watch_holds     /* NOLINT(bugprone-reserved-identifier) */
#define canary_holds __wrap_canary_holds               /* NOLINT(bugprone-reserved-identifier) */
#include "tests/unit/api/http/client.h"

#include <sys/mman.h>

#include "api/canary.h"
#include "server/store/queue/relay_watch.h"
#include "server/redis/redis.h"

static struct {
	int is_ready;
	int asked;
	int is_unattended;
	int is_unproven;
	int is_partly_away;
} * store;

bool redis_is_ready(const struct redis *redis, const char **why)
{
	(void)redis;
	store->asked++;
	if (!store->is_ready && why)
		*why = "no \"connection\" to Redis";
	return store->is_ready;
}

bool redis_write_refusing(const struct redis *redis, struct buf *out)
{
	(void)redis;
	if (store->is_partly_away)
		buf_str(out, "partitions 1-3 take no mail");
	return store->is_partly_away;
}

void redis_write_metrics(const struct redis *redis, struct buf *out)
{
	(void)redis;
	buf_str(out, "of_the_partitions 1\n");
}

bool relay_watch_holds(struct redis *redis, const char **why)
{
	(void)redis;
	if (store->is_unattended)
		*why = "no relay";
	return !store->is_unattended;
}

bool canary_holds(const char **why)
{
	if (store->is_unproven)
		*why = "no canary";
	return !store->is_unproven;
}

static char answer[300000];
static struct child internal; /* serves metrics_routes */

static int get_from(const struct child *child, const char *path, const char *headers)
{
	char request[1000];
	int fd = dial(child), status;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "%s\r\n", path, headers);
	say(fd, request, strlen(request));
	status = hear(fd, answer, sizeof(answer), true);
	close(fd);
	return status;
}

static int get(const char *path, const char *headers)
{
	return get_from(&shared, path, headers);
}

static const char *body(void)
{
	return strstr(answer, "\r\n\r\n") + 4;
}

static void alive_does_not_depend_on_the_store(void **state)
{
	(void)state;
	store->is_ready = 0;
	store->asked = 0;
	assert_int_equal(get("/healthz", ""), 200);
	assert_string_equal(body(), "{\"status\":\"ok\"}\n");
	assert_int_equal(store->asked, 0);
}

static void in_public_readiness_has_no_reason(void **state)
{
	(void)state;
	store->is_ready = 0;
	assert_int_equal(get("/readyz", ""), 503);
	assert_string_equal(body(), "{\"status\":\"not ready\"}\n");
	assert_non_null(strstr(answer, "Retry-After: "));
	store->is_ready = 1;
	assert_int_equal(get("/readyz", ""), 200);
	assert_string_equal(body(), "{\"status\":\"ready\"}\n");
}

static void readiness_depends_on_store_canary_and_relay(void **state)
{
	static const struct {
		int is_ready, is_unproven, is_unattended, is_partly_away, status;
		const char *body;
	} rows[] = {
		{0, 0, 0, 0, 503,
		 "{\"status\":\"not ready\",\"reason\":\"no \\\"connection\\\" to Redis\"}\n"},
		{0, 1, 1, 1, 503,
		 "{\"status\":\"not ready\",\"reason\":\"no \\\"connection\\\" to Redis\"}\n"},
		{1, 1, 1, 0, 503, "{\"status\":\"not ready\",\"reason\":\"no canary\"}\n"},
		{1, 0, 1, 0, 503, "{\"status\":\"not ready\",\"reason\":\"no relay\"}\n"},
		{1, 0, 0, 0, 200, "{\"status\":\"ready\"}\n"},
		{1, 0, 0, 1, 200,
		 "{\"status\":\"ready\",\"warnings\":[\"partitions 1-3 take no mail\"]}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		store->is_ready = rows[i].is_ready;
		store->is_unproven = rows[i].is_unproven;
		store->is_unattended = rows[i].is_unattended;
		store->is_partly_away = rows[i].is_partly_away;
		assert_int_equal(get_from(&internal, "/readyz", ""), rows[i].status);
		assert_string_equal(body(), rows[i].body);
		assert_int_equal(get("/readyz", ""), rows[i].status);
	}
}

static void metrics_are_only_on_the_internal_listener(void **state)
{
	(void)state;
	assert_int_equal(get("/metrics", ""), 404);
	assert_int_equal(get_from(&internal, "/metrics", ""), 200);
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(body(), "\npostern_http_requests_total{class=\"5xx\"} "));
	assert_non_null(strstr(body(), "\nof_the_partitions 1\n"));
	assert_int_equal(get_from(&internal, "/v1/messages", ""), 404);
}

static void the_contract_is_served(void **state)
{
	json_t *document;

	(void)state;
	assert_int_equal(get("/openapi.json", ""), 200);
	document = json_loads(body(), 0, NULL);
	assert_non_null(document);
	assert_memory_equal(json_string_value(json_object_get(document, "openapi")), "3.1", 3);
	json_decref(document);
	assert_int_equal(get("/openapi.yaml", ""), 200);
	assert_non_null(strstr(body(), "openapi: 3.1"));
}

static void fill(const char *path, const char *prefix, char *out, size_t size)
{
	size_t len = 0;
	const char *id;

	while ((id = strchr(path, '{'))) {
		len += (size_t)snprintf(out + len, size - len, "%.*s%s_01arz3ndektsv4rrffq69g5fav",
					(int)(id - path), path, prefix ? prefix : "x");
		path = strchr(id, '}') + 1;
	}
	snprintf(out + len, size - len, "%s", path);
}

static int ask(const struct route *route, const char *key)
{
	static const char *const methods[] = {"GET", "POST", "PATCH", "PUT", "DELETE"};
	char path[200], request[600];
	int fd = dial(&shared), status;

	fill(route->path, route->id_prefix, path, sizeof(path));
	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" HOST JSON "%s%s%s\r\n%s",
		 methods[route->method], path, *key ? "Authorization: Bearer " : "", key,
		 *key ? "\r\nContent-Length: 2\r\n" : "Content-Length: 2\r\n", "{}");
	say(fd, request, strlen(request));
	status = hear(fd, answer, sizeof(answer), true);
	close(fd);
	return status;
}

static void each_route_needs_a_key_with_its_scope(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_routes.n; i++) {
		const struct route *route = &api_routes.rows[i];
		bool is_open = strncmp(route->path, "/v1", 3) != 0;

		if ((route->scope == 0) != is_open)
			fail_msg("%s: open without a key, or closed though it is not /v1",
				 route->path);
		if (is_open)
			continue;
		assert_int_equal(ask(route, ""), 401);
		assert_int_equal(ask(route, "pn_live_wrong"), 401);
		assert_int_equal(ask(route, "pn_live_none"), 403);
		if (route->scope != SCOPE_SEND)
			assert_int_equal(ask(route, "pn_live_send"), 403);
		if (route->scope != SCOPE_READ)
			assert_int_equal(ask(route, "pn_live_read"), 403);
	}
}

static int start_with_store(void **state)
{
	store = mmap(NULL, sizeof(*store), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (store == MAP_FAILED)
		return -1;
	real_routes = &metrics_routes;
	start_child(&internal, 0);
	real_routes = &api_routes;
	return start_shared(state);
}

static int stop_both(void **state)
{
	stop_child(&internal);
	return stop_shared(state);
}

UNIT_TESTS_IN(start_with_store, stop_both, cmocka_unit_test(alive_does_not_depend_on_the_store),
	      cmocka_unit_test(in_public_readiness_has_no_reason),
	      cmocka_unit_test(readiness_depends_on_store_canary_and_relay),
	      cmocka_unit_test(metrics_are_only_on_the_internal_listener),
	      cmocka_unit_test(the_contract_is_served),
	      cmocka_unit_test(each_route_needs_a_key_with_its_scope))
