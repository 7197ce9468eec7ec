/* Resolves a name and opens a stream. */
#include "server/redis/link/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "server/redis/link/resolver.h"
#include "server/stream/stream.h"

#define KEEP_ALIVE_S 15

static void fail(struct dial *d, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", why);
	dial_close(d);
	d->events.on_failed(text, d->events.arg);
}

static void on_limit(void *arg)
{
	struct dial *d = arg;
	char why[64];

	snprintf(why, sizeof(why), "no %s within %ld s",
		 d->is_securing ? "TLS handshake" : "connection", d->limit_ms / 1000);
	fail(d, why);
}

static void secure(struct dial *d)
{
	struct err e;

	d->is_securing = true;
	if (stream_secure(d->stream, d->tls, d->to.name, true, &e) < 0)
		fail(d, e.text);
}

static void open_now(struct dial *d)
{
	loop_timer_cancel(&d->timer);
	d->is_open = true;
	d->events.on_open(d->stream, d->events.arg);
}

static void on_stream(enum stream_event event, void *arg)
{
	struct dial *d = arg;

	switch (event) {
	case STREAM_CONNECTED:
		if (d->tls)
			secure(d);
		else
			open_now(d);
		break;
	case STREAM_SECURED:
		open_now(d);
		break;
	case STREAM_MOVED:
		if (d->is_open)
			d->events.on_moved(d->events.arg);
		break;
	case STREAM_FAILED:
		fail(d, stream_why(d->stream));
		break;
	}
}

static void connect_to(struct dial *d, const struct sockaddr_storage *address)
{
	struct err e;

	loop_timer_set(&d->timer, d->limit_ms);
	if (stream_open(&d->stream, d->loop, address, on_stream, d, &e) < 0) {
		fail(d, e.text);
		return;
	}
	if (address->ss_family != AF_UNIX)
		stream_keep_alive(d->stream, KEEP_ALIVE_S);
}

static void on_address(int result, struct evutil_addrinfo *list, void *arg)
{
	struct sockaddr_storage address = {0};
	struct dial *d = arg;
	char why[160];

	if (result == EVUTIL_EAI_CANCEL)
		return; /* dial_deinit */
	if (result == 0 && list)
		memcpy(&address, list->ai_addr, list->ai_addrlen);
	if (list)
		evutil_freeaddrinfo(list);
	if (address.ss_family) {
		connect_to(d, &address);
		return;
	}
	d->resolver_turn++;
	snprintf(why, sizeof(why), "cannot resolve the name: %s", evutil_gai_strerror(result));
	fail(d, why);
}

static void resolve(struct dial *d)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char port[8];

	if (d->dns)
		evdns_base_free(d->dns, 0);
	d->dns = resolver_new(loop_base(d->loop), "/etc/resolv.conf", d->resolver_turn);
	if (!d->dns) {
		fail(d, "out of memory");
		return;
	}
	snprintf(port, sizeof(port), "%d", d->to.port);
	evdns_getaddrinfo(d->dns, d->to.name, port, &hints, on_address, d);
}

/* Reads the path of a socket, or a numeric address. False: a name. */
static bool read_address(const char *path, const struct redis_host *to,
			 struct sockaddr_storage *out)
{
	struct sockaddr_un *local = (void *)out;
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	*out = (struct sockaddr_storage){0};
	if (*path) {
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof(local->sun_path), "%s", path);
		return true;
	}
	if (inet_pton(AF_INET, to->name, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)to->port);
		return true;
	}
	if (inet_pton(AF_INET6, to->name, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)to->port);
	return true;
}

int dial_init(struct dial *d, struct loop *loop, struct tls_context *tls,
	      const struct dial_events *events)
{
	*d = (struct dial){.loop = loop, .tls = tls, .events = *events};
	return loop_timer_init(&d->timer, loop, on_limit, d);
}

void dial_start(struct dial *d, const char *path, const struct redis_host *to, long limit_ms)
{
	struct sockaddr_storage address;

	d->to = *to;
	d->limit_ms = limit_ms;
	if (read_address(path, to, &address))
		connect_to(d, &address);
	else
		resolve(d);
}

void dial_close(struct dial *d)
{
	struct stream *stream = d->stream;

	d->stream = NULL;
	d->is_open = d->is_securing = false;
	loop_timer_cancel(&d->timer);
	stream_free(stream);
}

void dial_deinit(struct dial *d)
{
	dial_close(d);
	loop_timer_deinit(&d->timer);
	if (d->dns)
		evdns_base_free(d->dns, 0);
	d->dns = NULL;
}
