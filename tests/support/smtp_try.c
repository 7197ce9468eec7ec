/* Sends mails over one client connection to 127.0.0.1 and prints the result of each recipient: the
 * client's side of tests/talks. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/loop.h"
#include "smtp/client/connection.h"
#include "server/stream/stream.h"

struct options {
	struct connection_options connection;
	const char *host, *ca_file, *sender, *head;
	long port, mails, fence_ms, idle_ms;
	bool has_tls, is_drop, is_quiet, quits_at_fence;
	char *body;
	size_t body_len;
	const char *const *recipients;
	size_t n_recipients;
};

struct run {
	struct options o;
	struct loop *loop;
	struct connection *connection;
	struct loop_timer timer;
	bool is_fence;
	long n_sent, n_done;
};

static const char *outcome_name(enum connection_outcome outcome)
{
	static const char *const names[] = {"delivered", "deferred", "bounced",
					    "unknown",   "too_big",  "untried"};

	return names[outcome];
}

static void send_next(struct run *r)
{
	struct connection_mail mail = {
		.sender = r->o.sender,
		.recipients = r->o.recipients,
		.n_recipients = r->o.n_recipients,
		.head = r->o.head,
		.head_len = r->o.head ? strlen(r->o.head) : 0,
		.body = r->o.body,
		.body_len = r->o.body_len,
	};
	struct err e;

	r->n_sent++;
	if (connection_send(r->connection, &mail, &e) < 0) {
		printf("refused %s\n", e.text);
		connection_quit(r->connection);
	}
}

static void answer_fence(struct run *r)
{
	if (r->o.quits_at_fence)
		connection_quit(r->connection);
	else if (r->o.is_drop)
		connection_drop(r->connection);
	else
		connection_dot(r->connection);
}

static void waited(void *arg)
{
	struct run *r = arg;

	if (r->is_fence)
		answer_fence(r);
	else
		send_next(r);
	r->is_fence = false;
}

static void on_ready(struct connection *c, void *arg)
{
	struct run *r = arg;

	if (r->n_sent == r->o.mails)
		connection_quit(c);
	else if (r->n_sent > 0 && r->o.idle_ms > 0)
		loop_timer_set(&r->timer, r->o.idle_ms);
	else
		send_next(r);
}

static void on_fence(struct connection *c, void *arg)
{
	struct run *r = arg;

	(void)c;
	r->is_fence = r->o.fence_ms > 0;
	if (r->is_fence)
		loop_timer_set(&r->timer, r->o.fence_ms);
	else
		answer_fence(r);
}

static void on_done(struct connection *c, const struct connection_result *results, size_t n,
		    void *arg)
{
	struct run *r = arg;

	(void)c;
	r->n_done++;
	for (size_t i = 0; i < n && !r->o.is_quiet; i++)
		printf("%s %d %s\n", outcome_name(results[i].outcome), results[i].code,
		       results[i].text);
}

static void on_closed(struct connection *c, const struct connection_result *failure, void *arg)
{
	struct run *r = arg;
	const struct connection_facts *f = connection_facts(c);

	if (failure)
		printf("failure %d %s\n", failure->code, failure->text);
	for (long i = r->n_done; i < r->o.mails; i++)
		printf("unsent\n");
	printf("closed %s tls=%s verified=%d tls_failed=%d\n", f->stage, f->tls_version,
	       f->is_verified, f->has_tls_failed);
	loop_timer_cancel(&r->timer);
	loop_stop(r->loop);
}

static void read_body(struct options *o, const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0) {
		perror(path);
		exit(2);
	}
	rewind(f);
	free(o->body);
	o->body = malloc((size_t)size + 1);
	o->body_len = o->body ? fread(o->body, 1, (size_t)size, f) : 0;
	fclose(f);
}

static bool read_flag(struct options *o, const char *name)
{
	if (!strcmp(name, "--verify"))
		o->connection.verify = true;
	else if (!strcmp(name, "--clear"))
		o->connection.is_clear = true;
	else if (!strcmp(name, "--mx"))
		o->connection.is_mx = true;
	else if (!strcmp(name, "--no-tls"))
		o->has_tls = false;
	else if (!strcmp(name, "--drop"))
		o->is_drop = true;
	else if (!strcmp(name, "--quit-at-fence"))
		o->quits_at_fence = true;
	else if (!strcmp(name, "--quiet"))
		o->is_quiet = true;
	else
		return false;
	return true;
}

static void read_option(struct options *o, const char *name, const char *value)
{
	struct {
		const char *name;
		const char **text;
		long *number;
	} table[] = {{"--host", &o->host, NULL},
		     {"--ca", &o->ca_file, NULL},
		     {"--sender", &o->sender, NULL},
		     {"--head", &o->head, NULL},
		     {"--helo", &o->connection.helo_name, NULL},
		     {"--user", &o->connection.user, NULL},
		     {"--password", &o->connection.password, NULL},
		     {"--port", NULL, &o->port},
		     {"--mails", NULL, &o->mails},
		     {"--fence-ms", NULL, &o->fence_ms},
		     {"--idle-ms", NULL, &o->idle_ms}};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(name, table[i].name) != 0)
			continue;
		if (table[i].text)
			*table[i].text = value;
		else
			*table[i].number = strtol(value, NULL, 10);
		return;
	}
	if (!strcmp(name, "--message"))
		read_body(o, value);
	else if (!strcmp(name, "--tls"))
		o->connection.tls = !strcmp(value, "required")   ? ROUTE_TLS_REQUIRED
				    : !strcmp(value, "implicit") ? ROUTE_TLS_IMPLICIT
								 : ROUTE_TLS_OPPORTUNISTIC;
	else
		exit(2);
}

static void read_arguments(struct options *o, int argc, char **argv)
{
	int i = 1;

	while (i < argc && !strncmp(argv[i], "--", 2)) {
		if (read_flag(o, argv[i])) {
			i++;
		} else if (i + 1 < argc) {
			read_option(o, argv[i], argv[i + 1]);
			i += 2;
		} else {
			exit(2);
		}
	}
	o->recipients = (const char *const *)(argv + i);
	o->n_recipients = (size_t)(argc - i);
}

static int run(struct run *r)
{
	static const struct connection_callbacks callbacks = {on_ready, on_fence, on_done,
							      on_closed};
	struct route_host host = {.addr_len = sizeof(struct sockaddr_in)};
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->o.port)};
	int64_t start = clock_mono_ms();
	struct err e;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&host.addr, &addr, sizeof(addr));
	snprintf(host.name, sizeof(host.name), "%s", r->o.host);
	if (connection_open(&r->connection, r->loop, &host, &r->o.connection, &callbacks, r, &e) <
	    0) {
		printf("refused %s\n", e.text);
		return 1;
	}
	loop_run(r->loop);
	if (r->o.is_quiet)
		printf("%ld mails in %ld ms\n", r->n_done, (long)(clock_mono_ms() - start));
	return 0;
}

int main(int argc, char **argv)
{
	static const char text[] = "Subject: hello\r\n\r\nOne line.\r\n.\r\n..two\r\n.end\r\n";
	struct run r = {.o = {.host = "mx.sink.test",
			      .sender = "from@postern.test",
			      .mails = 1,
			      .has_tls = true,
			      .connection = {.helo_name = "client.postern.test"}}};
	struct err e;
	int status;

	r.o.body = strdup(text);
	r.o.body_len = sizeof(text) - 1;
	read_arguments(&r.o, argc, argv);
	if (r.o.has_tls)
		r.o.connection.tls_context = tls_context_new(r.o.ca_file, &e);
	if (r.o.has_tls && !r.o.connection.tls_context) {
		printf("refused %s\n", e.text);
		return 1;
	}
	r.loop = loop_new();
	if (!r.loop || loop_timer_init(&r.timer, r.loop, waited, &r) < 0)
		return 2;
	status = run(&r);
	loop_timer_deinit(&r.timer);
	loop_free(r.loop);
	tls_context_free(r.o.connection.tls_context);
	free(r.o.body);
	return status;
}
