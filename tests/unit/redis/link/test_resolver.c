/* Name servers that disagree: the first is asked first, the next one when it is its turn. */
#include "server/redis/link/resolver.h"
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netdb.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <event2/util.h>

#define SERVERS 2

struct server {
	struct evdns_server_port *port;
	int fd, number;
	bool knows;
	unsigned asked;
};

struct world {
	struct event_base *base;
	struct server servers[SERVERS];
	char file[32];
	struct evdns_base *resolver;
	char found[64];
	int result;
};

static void answer(struct evdns_server_request *request, void *arg)
{
	struct server *s = arg;
	const struct evdns_server_question *q = request->questions[0];
	struct in_addr address = {htonl(0x0a000000u + (unsigned)s->number)};

	s->asked++;
	if (s->knows && q->type == EVDNS_TYPE_A && strcasecmp(q->name, "redis.net.test") == 0) {
		evdns_server_request_add_a_reply(request, q->name, 1, &address, 60);
		evdns_server_request_respond(request, DNS_ERR_NONE);
	} else {
		evdns_server_request_respond(request, s->knows ? DNS_ERR_NONE : DNS_ERR_NOTEXIST);
	}
}

static int start_server(struct world *w, int i)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	struct server *s = &w->servers[i];

	s->number = i + 1;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_return_code(bind(s->fd, (struct sockaddr *)&addr, len), 0);
	assert_return_code(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	s->port = evdns_add_server_port_with_base(w->base, s->fd, 0, answer, s);
	assert_non_null(s->port);
	return ntohs(addr.sin_port);
}

static int start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	FILE *f;
	int fd;

	assert_non_null(w);
	w->base = event_base_new();
	snprintf(w->file, sizeof(w->file), "/tmp/test_resolver_XXXXXX");
	fd = mkstemp(w->file);
	assert_return_code(fd, 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fprintf(f, "search net.test\n");
	for (int i = 0; i < SERVERS; i++)
		fprintf(f, "nameserver 127.0.0.1:%d\n", start_server(w, i));
	fclose(f);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < SERVERS; i++) {
		evdns_close_server_port(w->servers[i].port);
		close(w->servers[i].fd);
	}
	event_base_free(w->base);
	unlink(w->file);
	free(w);
	return 0;
}

static void found(int result, struct evutil_addrinfo *list, void *arg)
{
	struct world *w = arg;

	w->result = result;
	if (list) {
		getnameinfo(list->ai_addr, (socklen_t)list->ai_addrlen, w->found, sizeof(w->found),
			    NULL, 0, NI_NUMERICHOST);
		evutil_freeaddrinfo(list);
	}
	event_base_loopbreak(w->base);
}

static void ask(struct world *w, unsigned turn)
{
	const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct evdns_base *resolver = resolver_new(w->base, w->file, turn);

	assert_non_null(resolver);
	w->found[0] = 0;
	w->result = -1;
	for (int i = 0; i < SERVERS; i++)
		w->servers[i].asked = 0;
	evdns_getaddrinfo(resolver, "redis", NULL, &hints, found, w);
	event_base_dispatch(w->base);
	evdns_base_free(resolver, 0);
}

static void the_first_is_asked_and_no_other_however_often(void **state)
{
	struct world *w = *state;

	w->servers[0].knows = true;
	for (int i = 0; i < 5; i++) {
		ask(w, 0);
		assert_int_equal(w->result, 0);
		assert_string_equal(w->found, "10.0.0.1");
		assert_int_equal(w->servers[1].asked, 0);
	}
}

static void a_no_of_the_first_leads_to_the_second_at_its_turn(void **state)
{
	struct world *w = *state;

	w->servers[0].knows = false;
	w->servers[1].knows = true;
	ask(w, 0);
	assert_int_not_equal(w->result, 0);
	assert_int_equal(w->servers[1].asked, 0);
	ask(w, 1);
	assert_int_equal(w->result, 0);
	assert_string_equal(w->found, "10.0.0.2");
	assert_int_equal(w->servers[0].asked, 0);
	ask(w, 2);
	assert_int_not_equal(w->result, 0);
	assert_true(w->servers[0].asked > 0);
}

static void a_file_that_is_missing_is_no_crash(void **state)
{
	struct world *w = *state;
	struct evdns_base *resolver = resolver_new(w->base, "/nowhere/resolv.conf", 7);

	assert_non_null(resolver);
	evdns_base_free(resolver, 0);
}

UNIT_TESTS_IN(start, stop, cmocka_unit_test(the_first_is_asked_and_no_other_however_often),
	      cmocka_unit_test(a_no_of_the_first_leads_to_the_second_at_its_turn),
	      cmocka_unit_test(a_file_that_is_missing_is_no_crash))
