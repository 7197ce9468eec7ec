#ifndef TESTS_UNIT_ROUTE_DNS_FIXTURE_H
#define TESTS_UNIT_ROUTE_DNS_FIXTURE_H

#include "server/route/router.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/base/loop.h"
#include "tests/unit/unit.h"

/* For the tests of the router: a DNS server with a zone full of odd names, and the asking. */

#define PYTHON "/usr/bin/python3"
#define SERVER "tests/support/dns_server.py"

/* A Python expression, for the ranges; start_script makes it JSON. */
static const char zone[] =
	"{'mx.test': {'MX': ['20 b.mx.test.', '10 a.mx.test.']},"
	" 'a.mx.test': {'A': '9.9.9.1', 'AAAA': '2003::1'}, 'b.mx.test': {'A': '9.9.9.2'},"
	" 'null.test': {'MX': '0 .', 'A': '9.9.9.3'},"
	" 'implicit.test': {'A': '9.9.9.3', 'AAAA': '2003::3'},"
	" 'bare.test': {'TXT': 'x'},"
	" 'half.test': {'fault': {'AAAA': 'servfail'}},"
	" 'halfok.test': {'A': '9.9.9.3', 'fault': {'AAAA': 'servfail'}},"
	" 'servfail.test': {'fault': 'servfail', 'A': '9.9.9.3'},"
	" 'mxservfail.test': {'fault': {'MX': 'servfail'}, 'A': '9.9.9.3'},"
	" 'refused.test': {'fault': 'refused'}, 'formerr.test': {'fault': 'formerr'},"
	" 'timeout.test': {'fault': 'timeout'}, 'garbage.test': {'fault': 'garbage'},"
	" 'loop.test': {'fault': 'loop'}, 'wrongid.test': {'fault': 'wrong-id'},"
	" 'wrongq.test': {'fault': 'wrong-question', 'A': '9.9.9.3'},"
	" 'tcp.test': {'MX': '10 a.mx.test.', 'fault': 'truncated'},"
	" 'notcp.test': {'MX': '10 a.mx.test.', 'fault': 'tcp-refused'},"
	" 'gone.test': {'MX': ['10 no1.invalid.', '20 no2.gone2.test.'], 'A': '9.9.9.3'},"
	" 'empty.test': {'MX': ['10 bare.test.', '20 no2.gone2.test.'], 'A': '9.9.9.3'},"
	" 'deadmx.test': {'MX': ['10 servfail.test.', '20 no2.gone2.test.'], 'A': '9.9.9.3'},"
	" 'backup.test': {'MX': ['10 servfail.test.', '20 b.mx.test.']},"
	" 'slowmx.test': {'MX': ['10 timeout.test.', '20 b.mx.test.']},"
	" 'private.test': {'MX': '10 p.private.test.'},"
	" 'p.private.test': {'A': ['10.0.0.1', '127.0.0.1', '0.0.0.0', '169.254.169.254'],"
	"                    'AAAA': ['::1', '::', 'fe80::1', 'fd00::1', '::ffff:10.0.0.1',"
	"                             '64:ff9b::a00:1']},"
	" 'mixed.test': {'MX': ['10 p.private.test.', '20 b.mx.test.']},"
	" 'local.test': {'A': '127.0.0.1'}, 'lo.test': {'MX': '10 localhost.'},"
	" 'ipmx.test': {'MX': '10 10.0.0.1.'}, 'ipmx2.test': {'MX': ['5 9.9.9.9.', '10 "
	"b.mx.test.']},"
	" 'under.test': {'MX': '10 a_b.mx.test.'}, 'a_b.mx.test': {'A': '9.9.9.4'},"
	" 'space.test': {'MX': '10 a\\\\032b.mx.test.'}, 'nul.test': {'MX': '10 "
	"a\\\\000.mx.test.'},"
	" 'own.test': {'MX': ['10 own.mx.test.', '20 b.mx.test.']}, 'own.mx.test': {'A': "
	"'9.9.9.5'},"
	" 'ownlast.test': {'MX': ['10 b.mx.test.', '20 own.mx.test.', '30 a.mx.test.']},"
	" 'ownequal.test': {'MX': ['10 own.mx.test.', '10 b.mx.test.']},"
	" 'alias.test': {'CNAME': 'mx.test.'}, 'dangling.test': {'CNAME': 'no.gone2.test.'},"
	" 'cnameloop.test': {'CNAME': 'cnameloop2.test.'},"
	" 'cnameloop2.test': {'CNAME': 'cnameloop.test.'},"
	" 'mxcname.test': {'MX': '10 c.mx.test.'}, 'c.mx.test': {'CNAME': 'b.mx.test.'},"
	" 'v6only.test': {'MX': '10 six.mx.test.'}, 'six.mx.test': {'AAAA': '2003::6'},"
	" 'many.test': {'MX': ['10 m%d.many.test.' % i for i in range(20)]},"
	" '*.many.test': {'A': '9.9.8.1', 'AAAA': '2003::8'},"
	" 'wide.test': {'MX': ['10 w.wide.test.', '20 b.mx.test.']},"
	" 'w.wide.test': {'A': ['9.9.7.%d' % i for i in range(1, 101)]},"
	" 'lone.test': {'MX': '10 w.wide.test.'},"
	" 'deep.test': {'MX': ['%d no%d.gone2.test.' % (i, i) for i in range(7)] + ['9 "
	"b.mx.test.']},"
	" 'huge.test': {'MX': ['%d h%d.huge.test.' % (500 - i, i) for i in range(500)]},"
	" 'h499.huge.test': {'A': '9.9.6.1'},"
	" 'ttl0.test': {'MX': '10 b.mx.test.', 'ttl': 0},"
	" 'caps.test': {'MX': '10 A.MX.TEST.'},"
	" 'relay.test': {'A': ['10.9.8.7'], 'AAAA': ['fd00::7']},"
	" 'merge.test': {'MX': '10 b.mx.test.', 'delay': 0.2}}";

struct answer {
	struct loop *loop;
	size_t *n_open;
	int calls;
	bool is_route;
	struct route route;
	struct route_failure failure;
};

struct fixture {
	char dir[64], zone_path[96], log_path[96], servers[32];
	pid_t pid;
	struct loop *loop;
	struct config config;
};

static inline void on_route(const struct route *route, const struct route_failure *failure,
			    void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->is_route = route != NULL;
	assert_true((route == NULL) != (failure == NULL));
	if (route)
		a->route = *route;
	else
		a->failure = *failure;
	if (--*a->n_open == 0)
		loop_stop(a->loop);
}

static inline int ask_all(struct fixture *f, struct router *r, const char *const *domains,
			  struct answer *answers, size_t n)
{
	size_t n_open = n;
	int64_t start_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++) {
		answers[i] = (struct answer){.loop = f->loop, .n_open = &n_open};
		router_find(r, domains[i], on_route, &answers[i]);
	}
	if (n_open)
		loop_run(f->loop);
	assert_int_equal(n_open, 0);
	return (int)(clock_mono_ms() - start_ms);
}

static inline int ask_one(struct fixture *f, struct router *r, const char *domain, struct answer *a)
{
	return ask_all(f, r, &domain, a, 1);
}

static inline void write_zone(const struct fixture *f)
{
	FILE *file = fopen(f->zone_path, "w");

	assert_non_null(file);
	assert_true(fputs(zone, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The zone above is a Python expression; the server reads JSON. */
static const char start_script[] = "import json, os, sys\n"
				   "path, log, port = sys.argv[1:]\n"
				   "text = open(path).read()\n"
				   "if text[1] == chr(39):\n"
				   "    open(path, 'w').write(json.dumps(eval(text)))\n"
				   "os.execv(sys.executable, [sys.executable, '" SERVER
				   "', path, '--log', log, '--port', port])\n";

static inline void start_server(struct fixture *f, const char *port)
{
	int out[2];
	char text[16] = {0};

	assert_int_equal(pipe(out), 0);
	f->pid = fork();
	if (f->pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		execl(PYTHON, PYTHON, "-c", start_script, f->zone_path, f->log_path, port, NULL);
		_exit(127);
	}
	close(out[1]);
	if (read(out[0], text, sizeof(text) - 1) <= 0)
		fail_msg("the DNS server did not start");
	close(out[0]);
	snprintf(f->servers, sizeof(f->servers), "127.0.0.1@%d", atoi(text));
}

static inline void stop_server(struct fixture *f)
{
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
}

static inline int count_queries(const struct fixture *f, const char *line)
{
	char text[256];
	int n = 0;
	FILE *file = fopen(f->log_path, "r");

	while (file && fgets(text, sizeof(text), file))
		n += strncmp(text, line, strlen(line)) == 0;
	if (file)
		fclose(file);
	return n;
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_route.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->zone_path, sizeof(f->zone_path), "%s/zone.json", f->dir);
	snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->dir);
	write_zone(f);
	start_server(f, "0");
	f->loop = loop_new();
	f->config = (struct config){.relay_url = "",
				    .relay_ca_file = "",
				    .helo_name = "own.mx.test",
				    .dns_servers = f->servers,
				    .smtp_port = 2525};
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	stop_server(f);
	unlink(f->zone_path);
	unlink(f->log_path);
	rmdir(f->dir);
	loop_free(f->loop);
	free(f);
	return 0;
}

static inline struct router *make_router(struct fixture *f)
{
	struct router *r = NULL;
	struct err e = {0};

	if (router_new(&r, f->loop, &f->config, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

#endif
