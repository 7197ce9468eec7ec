#ifndef TESTS_UNIT_API_HTTP_CHILD_H
#define TESTS_UNIT_API_HTTP_CHILD_H

#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/http/guard.h"
#include "api/http/response.h"
#include "api/http/server.h"
#include <event2/event.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/metrics.h"
#include "tests/unit/unit.h"

/* A child process that serves a few routes with made-up keys; its sanitizers make any leak or
 * overrun an exit code. */

#define BODY_LIMIT 200000
#ifndef ROOT_KEY
#define ROOT_KEY ""
#endif

static struct api api;
#ifndef REAL_ROUTES
static int handled;

static inline void respond_length(struct request *r)
{
	size_t len;

	request_body(r, &len);
	response_header(r, "Location", "/v1/somewhere");
	response_header(r, "X-Bad", "a\r\nInjected: yes");
	response_json(r, 202,
		      json_pack("{s:I, s:s, s:s}", "len", (json_int_t)len, "method",
				request_method_text(r), "path", request_path(r)));
}

static inline void echo(struct request *r)
{
	handled++;
	respond_length(r);
}

/* Called even if the client has closed, like a reply of the store. */
struct delay {
	struct loop_timer timer;
	struct request *request;
};

static inline void respond_later(void *arg)
{
	struct delay *d = arg;

	request_header(d->request, "Content-Type");
	respond_length(d->request);
	loop_timer_deinit(&d->timer);
	free(d);
}

static inline void delay(struct request *r, int64_t ms)
{
	struct delay *d = calloc(1, sizeof(*d));

	handled++;
	d->request = r;
	request_set_state(r, malloc(10), free);
	loop_timer_init(&d->timer, request_api(r)->loop, respond_later, d);
	loop_timer_set(&d->timer, ms);
}

/* Responds with how many handlers had begun when it began. */
static inline void number(struct request *r)
{
	char text[16];

	delay(r, 50);
	snprintf(text, sizeof(text), "%d", handled);
	response_header(r, "X-Number", text);
}

/* Works, and responds at once. */
static inline void work(struct request *r)
{
	usleep(5000);
	echo(r);
}

static inline void soon(struct request *r)
{
	delay(r, 1);
}

static inline void later(struct request *r)
{
	delay(r, 50);
}

static inline void much_later(struct request *r)
{
	delay(r, 1200);
}

static struct request *held;

static inline void hold(struct request *r)
{
	held = r;
}

static inline void release(struct request *r)
{
	respond_length(held);
	response_text(r, 200, "text/plain", "ok\n", 3);
}

static inline void thing(struct request *r)
{
	const char *q = request_query(r, "q");

	response_json(r, 200,
		      json_pack("{s:s, s:s, s:s}", "id", request_param(r, 0), "q", q ? q : "-",
				"project", request_key(r)->project_id));
}

static inline void respond_much(struct request *r)
{
	static char text[6000000];

	memset(text, 'x', sizeof(text));
	response_text(r, 200, "text/plain", text, sizeof(text));
}

static inline void health(struct request *r)
{
	response_text(r, 200, "text/plain", "ok\n", 3);
}

static inline void show_counts(struct request *r)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	response_json(
		r, 200,
		json_pack(
			"{s:i, s:I, s:I, s:I}", "handled", handled, "cpu_ms",
			(json_int_t)(usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 +
				     usage.ru_stime.tv_sec * 1000 + usage.ru_stime.tv_usec / 1000),
			"4xx", (json_int_t)metric_sum(METRIC_REQUESTS_4XX), "rss_kb",
			(json_int_t)usage.ru_maxrss));
}

static inline void break_down(struct request *r)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "a secret of the machine");
	response_err(r, &e);
}

static const struct route rows_of_test[] = {
	{HTTP_POST, "/v1/echo", SCOPE_SEND, echo, NULL, BODY_LARGE},
	{HTTP_POST, "/v1/work", SCOPE_SEND, work, NULL, BODY_LARGE},
	{HTTP_GET, "/v1/number", SCOPE_READ, number, NULL, BODY_NONE},
	{HTTP_POST, "/v1/soon", SCOPE_SEND, soon, NULL, BODY_LARGE},
	{HTTP_POST, "/v1/held", SCOPE_SEND, hold, NULL, BODY_LARGE},
	{HTTP_GET, "/release", 0, release, NULL, BODY_NONE},
	{HTTP_POST, "/v1/later", SCOPE_SEND, later, NULL, BODY_LARGE},
	{HTTP_POST, "/v1/much-later", SCOPE_SEND, much_later, NULL, BODY_LARGE},
	{HTTP_GET, "/v1/things/{id}", SCOPE_READ, thing, "msg", BODY_NONE},
	{HTTP_DELETE, "/v1/things/{id}", SCOPE_MANAGE, thing, "msg", BODY_NONE},
	{HTTP_POST, "/v1/small", SCOPE_SEND, echo, NULL, BODY_SMALL},
	{HTTP_GET, "/v1/names/{name}", SCOPE_READ, thing, NULL, BODY_NONE},
	{HTTP_GET, "/healthz", 0, health, NULL, BODY_NONE},
	{HTTP_GET, "/much", 0, respond_much, NULL, BODY_NONE},
	{HTTP_GET, "/v1/much", SCOPE_READ, respond_much, NULL, BODY_NONE},
	{HTTP_GET, "/v1/list", SCOPE_READ, number, NULL, BODY_NONE_BULK},
	{HTTP_GET, "/counts", 0, show_counts, NULL, BODY_NONE},
	{HTTP_GET, "/fail", 0, break_down, NULL, BODY_NONE},
};
static const struct routes routes_served = {rows_of_test,
					    sizeof(rows_of_test) / sizeof(*rows_of_test)};
#else
#include "api/routes.h"
static const struct routes *real_routes = &api_routes;
#define routes_served (*real_routes)
#endif

struct lookup {
	struct loop_timer timer;
	key_fn *fn;
	void *arg;
	char text[256];
};

static inline void found(void *arg)
{
	static const struct {
		const char *text;
		unsigned scopes;
	} keys[] = {{"pn_live_good", SCOPE_SEND | SCOPE_READ},
		    {"pn_live_other", SCOPE_SEND | SCOPE_READ},
		    {"pn_live_slow", SCOPE_SEND | SCOPE_READ},
		    {"pn_live_send", SCOPE_SEND},
		    {"pn_live_read", SCOPE_READ},
		    {"pn_live_none", 1u << 30}};
	struct lookup *l = arg;
	struct key key = {.id = "key_1", .tenant = "1", .project_id = "prj_1"};
	struct err why;

	if (strcmp(l->text, "pn_live_other") == 0)
		key.tenant[0] = '2';
	err_set(&why, strcmp(l->text, "pn_live_lost") == 0 ? ERR_RETRY : ERR_NOT_FOUND, "no");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i].text, l->text) == 0)
			key.scopes = keys[i].scopes;
	l->fn(key.scopes ? &key : NULL, key.scopes ? NULL : &why, l->arg);
	loop_timer_deinit(&l->timer);
	free(l);
}

void keys_find(struct redis *redis, const char *text, size_t len, key_fn *fn, void *arg)
{
	struct lookup *l = calloc(1, sizeof(*l));

	(void)redis;
	l->fn = fn;
	l->arg = arg;
	memcpy(l->text, text, len);
	if (strstr(l->text, "slow") == NULL) {
		found(l);
		return;
	}
	loop_timer_init(&l->timer, api.loop, found, l);
	loop_timer_set(&l->timer, 60);
}

static struct http_server *server;

static inline void stop(void *arg)
{
	(void)arg;
	loop_stop(api.loop);
}

static inline void on_term(void *arg)
{
	if (api.is_draining) {
		stop(arg);
		return;
	}
	api.is_draining = true;
	http_server_drain(server, 5000, false, stop, NULL);
}

static const struct http_limits limits = {
	.tick_ms = 200,
	.fresh_ms = 1500,
	.idle_ms = 15000,
	.head_ms = 1200,
	.body_ms = 1200,
	.send_ms = 10000,
	.body_rate = 32768,
	.send_rate = 32768,
	.responses_max = 10000000,
	.linger_ms = 500,
	.back_off_ms = 100,
};

static inline int serve(int fd, const char *cert, const char *key, bool is_blind)
{
	struct config config = {.max_body_bytes = BODY_LIMIT,
				.root_key = ROOT_KEY,
				.http_connections = 50,
				.http_connections_per_address = 50,
				.trusted_proxies = "",
				.tls_cert = cert,
				.tls_key = key};
	const struct http_service service = {
		.routes = &routes_served, .listen_fds = &fd, .n_listen_fds = 1};
	struct err e = {0};

	/* With LOG_INFO the log's code runs too. */
	log_init(LOG_INFO, LOG_FORMAT_JSON, "api");
	signal(SIGPIPE, SIG_IGN);
	api = (struct api){.loop = loop_new(), .config = &config};
	if (metrics_init() < 0 || http_server_start(&server, &api, &service, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 3;
	}
	http_server_limit(server, &limits);
	if (is_blind)
		guard_deinit(server);
	loop_signal(api.loop, SIGTERM, on_term, NULL);
	loop_run(api.loop);
	http_server_free(server);
	/* Answers to requests that the end overtook. */
	for (int64_t end = clock_mono_ms() + 1500; clock_mono_ms() < end;)
		event_base_loop(loop_base(api.loop), EVLOOP_NONBLOCK);
	loop_free(api.loop);
	close(fd);
	return 0;
}

struct child {
	pid_t pid;
	struct sockaddr_in address;
	int log;          /* its standard error */
	const char *cert; /* files; NULL: no TLS */
	const char *key;
	bool is_blind; /* the guard looks at nothing */
};

static inline int listening(struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*address);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static inline void start_child(struct child *c, rlim_t descriptors)
{
	int fd = listening(&c->address), log_fd;
	char name[] = "/tmp/test_server_log_XXXXXX";

	log_fd = mkstemp(name);
	assert_true(log_fd >= 0);
	unlink(name);
	c->log = log_fd;
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		struct rlimit limit = {descriptors, descriptors};

		/* After a test that failed nobody stops it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (descriptors)
			setrlimit(RLIMIT_NOFILE, &limit);
		fcntl(log_fd, F_SETFL, O_APPEND);
		dup2(log_fd, STDERR_FILENO);
		exit(serve(fd, c->cert ? c->cert : "", c->key ? c->key : "", c->is_blind));
	}
	close(fd);
}

/* The log, in a buffer that the next call uses again. */
static const char *child_log(const struct child *c)
{
	static char text[400000];
	ssize_t n = pread(c->log, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static inline void show_end_of_log(const struct child *c, int status)
{
	const char *text = child_log(c), *report = strstr(text, "====");

	if (status != 0)
		fprintf(stderr, "%s\n", report ? report : text);
}

/* Waits for the child; its sanitizers make any leak or overrun an exit code. */
static inline void stop_child(struct child *c)
{
	int status = -1;

	kill(c->pid, SIGTERM);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	show_end_of_log(c, status);
	assert_int_equal(status, 0);
	close(c->log);
}

#endif
