/* Listening sockets: parses the addresses and binds them. */
#include "server/supervisor/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/number.h"

#define BACKLOG 4096
#define ADDRESS_MAX (LISTEN_HOST_MAX + LISTEN_PORT_MAX + 4)

struct address {
	char text[ADDRESS_MAX];
	char host[LISTEN_HOST_MAX]; /* "" = any */
	char port[LISTEN_PORT_MAX];
};

/* The next address of "a:1, b:2". 1 = found one, 0 = end. */
static int next_address(const char *variable, const char **p, struct address *a, struct err *e)
{
	const char *colon, *host;
	size_t len, host_len;
	int64_t port;

	*p += strspn(*p, ", ");
	len = strcspn(*p, ", ");
	if (!len)
		return 0;
	snprintf(a->text, sizeof(a->text), "%.*s", (int)(len < ADDRESS_MAX ? len : ADDRESS_MAX - 1),
		 *p);
	*p += len;
	colon = strrchr(a->text, ':');
	host = a->text;
	host_len = colon ? (size_t)(colon - host) : 0;
	if (host_len > 2 && host[0] == '[' && host[host_len - 1] == ']') {
		host++;
		host_len -= 2;
	} else if (memchr(host, ':', host_len)) {
		colon = NULL; /* an IPv6 address needs brackets */
	}
	if (!colon || host_len >= LISTEN_HOST_MAX || strlen(colon + 1) > 5 ||
	    number_parse(colon + 1, strlen(colon + 1), 1, 65535, &port) < 0)
		return err_set(e, ERR_INPUT,
			       "%s: \"%.80s\" is wrong: address:port is expected, like "
			       "127.0.0.1:8080 or [::]:8080",
			       variable, a->text);
	memcpy(a->host, host, host_len);
	a->host[host_len] = 0;
	memcpy(a->port, colon + 1, strlen(colon + 1) + 1);
	return 1;
}

int listen_check(const char *variable, const char *listen, struct err *e)
{
	struct address a;
	size_t n = 0;
	int status;

	while ((status = next_address(variable, &listen, &a, e)) == 1)
		n++;
	if (status < 0)
		return -1;
	if (n == 0 || n > LISTEN_MAX)
		return err_set(e, ERR_INPUT, "%s: 1 to %d addresses are expected", variable,
			       LISTEN_MAX);
	return 0;
}

bool listen_share(const char *listen, const char *other)
{
	struct address a, b;

	while (next_address("", &listen, &a, NULL) == 1)
		for (const char *p = other; next_address("", &p, &b, NULL) == 1;)
			if (strcmp(a.host, b.host) == 0 && strcmp(a.port, b.port) == 0)
				return true;
	return false;
}

static int refuse(const char *variable, const struct address *a, struct err *e)
{
	long other = strtol(a->port, NULL, 10) + 1;

	switch (errno) {
	case EADDRINUSE:
		return err_set(e, ERR_RETRY,
			       "%s is in use by another program; stop it, or listen "
			       "elsewhere: %s=%s%s%s:%ld",
			       a->text, variable, strchr(a->host, ':') ? "[" : "",
			       *a->host ? a->host : "127.0.0.1", strchr(a->host, ':') ? "]" : "",
			       other > 65535 ? 8080 : other);
	case EACCES:
		return err_set(
			e, ERR_REFUSED,
			"%s: not allowed; ports under 1024 need root or CAP_NET_BIND_SERVICE",
			a->text);
	case EADDRNOTAVAIL:
		return err_set(e, ERR_REFUSED, "%s: this machine has no such address", a->text);
	default:
		return err_set(e, ERR_REFUSED, "%s: %s", a->text, strerror(errno));
	}
}

/* A lone [::] serves IPv4 too; in a list, each address serves its own family. */
static int bind_one(struct listen *l, const char *variable, const struct address *a,
		    const struct addrinfo *ai, bool is_only, struct err *e)
{
	int on = 1, off = 0, fd;

	if (l->n == LISTEN_MAX)
		return err_set(e, ERR_INPUT, "%s: more than %d addresses", variable, LISTEN_MAX);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(variable, a, e);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_only ? &off : &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		refuse(variable, a, e);
		close(fd);
		return -1;
	}
	l->fds[l->n++] = fd;
	return 0;
}

static int open_address(struct listen *l, const char *variable, const struct address *a,
			bool is_only, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list;
	int error, status = 0;

	if (!*a->host)
		hints.ai_family = AF_INET;
	error = getaddrinfo(*a->host ? a->host : NULL, a->port, &hints, &list);
	if (error)
		return err_set(e, ERR_INPUT, "%s: %s: %s", variable, a->text, gai_strerror(error));
	for (const struct addrinfo *ai = list; ai && status == 0; ai = ai->ai_next) {
		status = bind_one(l, variable, a, ai, is_only && !list->ai_next, e);
		/* a name like localhost may include an address that this machine does not have */
		if (status < 0 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT) &&
		    (ai->ai_next || l->n))
			status = 0;
	}
	freeaddrinfo(list);
	return status;
}

int listen_open(struct listen *l, const char *variable, const char *listen, struct err *e)
{
	const char *p = listen;
	struct address a;
	bool is_only;

	*l = (struct listen){.n = 0};
	if (listen_check(variable, listen, e) < 0)
		return -1;
	is_only = next_address(variable, &p, &a, e) == 1 && p[strspn(p, ", ")] == 0;
	while (next_address(variable, &listen, &a, e) == 1)
		if (open_address(l, variable, &a, is_only, e) < 0) {
			listen_close(l);
			return -1;
		}
	return 0;
}

void listen_close(struct listen *l)
{
	for (size_t i = 0; i < l->n; i++)
		close(l->fds[i]);
	l->n = 0;
}

int listen_local(const char *listen, char host[LISTEN_HOST_MAX], char port[LISTEN_PORT_MAX])
{
	struct address a;

	if (next_address("", &listen, &a, NULL) != 1)
		return -1;
	if (!*a.host || strcmp(a.host, "0.0.0.0") == 0)
		snprintf(a.host, sizeof(a.host), "127.0.0.1");
	else if (strcmp(a.host, "::") == 0)
		snprintf(a.host, sizeof(a.host), "::1");
	memcpy(host, a.host, sizeof(a.host));
	memcpy(port, a.port, sizeof(a.port));
	return 0;
}
