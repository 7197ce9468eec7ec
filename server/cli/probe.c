/* A GET request to the API of this machine. */
#include "server/cli/probe.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/loop.h"
#include "server/supervisor/listen.h"
#include "server/stream/stream.h"
#include "server/stream/tls.h"

#define HEAD_MAX 2048

struct probe {
	struct loop *loop;
	struct loop_timer timer;
	bool is_tls;
	struct tls_context *tls; /* NULL = clear */
	struct stream *stream;
	const struct addrinfo *next; /* address to try if this one fails */
	char host[LISTEN_HOST_MAX];
	char port[LISTEN_PORT_MAX];
	char request[192];
	size_t request_len, sent;
	char response[HEAD_MAX + PROBE_BODY_MAX]; /* always with a NUL at its end */
	size_t len;
	bool is_connected;
	char why[200]; /* why there is no response; "" = there is one */
};

static void on_stream(enum stream_event event, void *arg);

static void end_probe(struct probe *p, const char *why)
{
	snprintf(p->why, sizeof(p->why), "%s", why);
	loop_stop(p->loop);
}

static void try_next(struct probe *p)
{
	struct sockaddr_storage to = {0};
	struct err e;

	stream_free(p->stream);
	p->stream = NULL;
	memcpy(&to, p->next->ai_addr, p->next->ai_addrlen);
	p->next = p->next->ai_next;
	if (stream_open(&p->stream, p->loop, &to, on_stream, p, &e) < 0)
		end_probe(p, e.text);
}

/* Reads until the server closes, or the buffer is full. */
static void send_and_read(struct probe *p)
{
	ssize_t n = 0;

	while (p->sent < p->request_len) {
		const struct iovec rest = {p->request + p->sent, p->request_len - p->sent};

		n = stream_write(p->stream, &rest, 1);
		if (n <= 0)
			break;
		p->sent += (size_t)n;
	}
	while (n >= 0 && p->len < sizeof(p->response) - 1) {
		n = stream_read(p->stream, p->response + p->len, sizeof(p->response) - 1 - p->len);
		if (n == 0)
			return;
		if (n > 0)
			p->len += (size_t)n;
	}
	end_probe(p, p->len ? "" : stream_why(p->stream));
}

static void on_stream(enum stream_event event, void *arg)
{
	struct probe *p = arg;
	struct err e;

	switch (event) {
	case STREAM_FAILED:
		if (!p->is_connected && p->next)
			try_next(p);
		else
			end_probe(p, stream_why(p->stream));
		return;
	case STREAM_CONNECTED:
		p->is_connected = true;
		if (p->tls) {
			if (stream_secure(p->stream, p->tls, p->host, false, &e) < 0)
				end_probe(p, e.text);
			return;
		}
		break;
	case STREAM_SECURED:
	case STREAM_MOVED:
	default:
		break;
	}
	send_and_read(p);
}

static void on_limit(void *arg)
{
	end_probe(arg, "no response in time");
}

static int run_probe(struct probe *p, const struct addrinfo *list, int64_t limit_ms, struct err *e)
{
	p->loop = loop_new();
	if (!p->loop || loop_timer_init(&p->timer, p->loop, on_limit, p) < 0)
		return err_oom(e);
	loop_timer_set(&p->timer, limit_ms);
	p->next = list;
	try_next(p);
	if (!*p->why)
		loop_run(p->loop);
	return 0;
}

/* RFC 9112 4 */
static int parse_response(const struct probe *p, struct probe_response *response, struct err *e)
{
	static const char version[] = "HTTP/1.1 ";
	const char *head_end = strstr(p->response, "\r\n\r\n"), *status;

	status = p->response + strlen(version);
	if (!head_end || strncmp(p->response, version, strlen(version)) != 0 || status[0] < '1' ||
	    status[0] > '5' || strspn(status, "0123456789") != 3)
		return err_set(e, ERR_REFUSED, "%s:%s: the server there does not speak HTTP",
			       p->host, p->port);
	response->status = (int)strtol(status, NULL, 10);
	snprintf(response->body, sizeof(response->body), "%s", head_end + 4);
	return 0;
}

static void close_probe(struct probe *p)
{
	stream_free(p->stream);
	tls_context_free(p->tls);
	if (p->loop) {
		loop_timer_deinit(&p->timer);
		loop_free(p->loop);
	}
}

static int probe_addresses(struct probe *p, int64_t limit_ms, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int status;

	if (p->is_tls && !(p->tls = tls_context_new(NULL, e)))
		return -1;
	status = getaddrinfo(p->host, p->port, &hints, &list);
	if (status)
		return err_set(e, ERR_RETRY, "%s: %s", p->host, gai_strerror(status));
	status = run_probe(p, list, limit_ms, e);
	freeaddrinfo(list);
	if (status == 0 && *p->why)
		status = err_set(e, ERR_RETRY, "%s:%s: %s", p->host, p->port, p->why);
	return status;
}

int probe_get(const struct config *config, bool is_metrics, const char *path, int64_t limit_ms,
	      struct probe_response *response, struct err *e)
{
	struct probe *p = calloc(1, sizeof(*p));
	int status;

	if (!p)
		return err_oom(e);
	p->is_tls = *config->tls_cert && !is_metrics;
	if (listen_local(is_metrics ? config->metrics_listen : config->listen, p->host, p->port) <
	    0) {
		free(p);
		return err_set(e, ERR_INPUT, "listen: no address is set");
	}
	p->request_len = (size_t)snprintf(
		p->request, sizeof(p->request),
		"GET %.100s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	status = probe_addresses(p, limit_ms, e);
	if (status == 0)
		status = parse_response(p, response, e);
	close_probe(p);
	free(p);
	return status;
}
