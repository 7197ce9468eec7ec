#ifndef TESTS_UNIT_API_HTTP_CLIENT_H
#define TESTS_UNIT_API_HTTP_CLIENT_H

#include "tests/unit/api/http/child.h"

/* Talks to the child in raw bytes. */

static struct child shared; /* of all tests of a program */

static inline int dial(const struct child *c)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&c->address, sizeof(c->address)), 0);
	return fd;
}

/* With little room for what it does not read. */
static inline int dial_slow_reader(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 4096;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&shared.address, sizeof(shared.address)), 0);
	return fd;
}

static inline void say(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static inline bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* Is the other side's end of the stream seen within ms? */
static inline bool closes(int fd, int ms)
{
	char sink[65536];

	while (readable(fd, ms))
		if (recv(fd, sink, sizeof(sink), 0) <= 0)
			return true;
	return false;
}

/* One answer: head and body by Content-Length. HEAD has none: say so. Gives the status, 0 when the
 * connection ended or nothing came in 3 s. */
static inline int hear(int fd, char *out, size_t size, bool has_body)
{
	size_t len = 0, want = 0;

	while (len < size - 1 && readable(fd, 3000)) {
		char *end, *length;

		if (recv(fd, out + len, 1, 0) != 1)
			break;
		out[++len] = 0;
		end = want ? NULL : strstr(out, "\r\n\r\n");
		if (end) {
			length = strstr(out, "Content-Length: ");
			want = len + (has_body && length ? strtoul(length + 16, NULL, 10) : 0);
		}
		if (want && len == want)
			return atoi(out + 9);
	}
	out[len] = 0;
	return 0;
}

#define HOST "Host: h\r\n"
#define KEY "Authorization: Bearer pn_live_good\r\n"
#define JSON "Content-Type: application/json\r\n"
#define POST(path, more) "POST " path " HTTP/1.1\r\n" HOST KEY JSON more "\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST KEY "\r\n"

#ifndef REAL_ROUTES
static inline long long counted(const char *what)
{
	static const char request[] = "GET /counts HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
	char answer[4000], name[32], *at;
	int fd = dial(&shared);

	say(fd, request, sizeof(request) - 1);
	assert_int_equal(hear(fd, answer, sizeof(answer), true), 200);
	close(fd);
	snprintf(name, sizeof(name), "\"%s\":", what);
	at = strstr(answer, name);
	assert_non_null(at);
	return atoll(at + strlen(name));
}
#endif

static inline int start_shared(void **state)
{
	(void)state;
	start_child(&shared, 0);
	return 0;
}

static inline int stop_shared(void **state)
{
	(void)state;
	stop_child(&shared);
	return 0;
}

#endif
