/* A webhook receiver with little overhead, so that a benchmark measures the sender. Responds with
 * 204, and records how long after the event's commit each request came. Prints its port, then, on
 * SIGTERM, one line of JSON: {"requests", "p50 ms", "p99 ms"}. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define REQUEST_MAX 65536
#define WAITS_MAX 4000000

struct client {
	size_t len;
	char data[REQUEST_MAX + 1];
};

static struct client *clients[CLIENTS_MAX]; /* by descriptor */
static double *waits;
static size_t n_waits;
static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	(void)sig;
	is_over = 1;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

/* "created_at":"2026-11-27T14:47:55.196Z" */
static void note_wait(const char *body)
{
	const char *at = strstr(body, "\"created_at\":\"");
	struct tm tm = {0};
	int ms;

	if (!at ||
	    sscanf(at + 14, "%d-%d-%dT%d:%d:%d.%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7 ||
	    n_waits == WAITS_MAX)
		return;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	waits[n_waits++] = now_ms() - ((double)timegm(&tm) * 1000 + ms);
}

/* Length of the first request when it is there as a whole; else 0. */
static size_t whole(const struct client *c)
{
	const char *end = strstr(c->data, "\r\n\r\n"), *field;
	size_t len;

	if (!end || !(field = strcasestr(c->data, "content-length:")) || field > end)
		return 0;
	len = (size_t)(end + 4 - c->data) + strtoul(field + 15, NULL, 10);
	return len <= c->len ? len : 0;
}

static void answer_all(int fd, struct client *c)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	size_t len;

	while ((len = whole(c))) {
		note_wait(strstr(c->data, "\r\n\r\n"));
		if (write(fd, answer, sizeof(answer) - 1) < 0)
			return;
		c->len -= len;
		memmove(c->data, c->data + len, c->len + 1);
	}
}

static void drop(int fd)
{
	close(fd);
	free(clients[fd]);
	clients[fd] = NULL;
}

static void on_ready(int fd)
{
	struct client *c = clients[fd];
	ssize_t n = read(fd, c->data + c->len, REQUEST_MAX - c->len);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			drop(fd);
		return;
	}
	c->len += (size_t)n;
	c->data[c->len] = 0;
	answer_all(fd, c);
}

static void take(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0)
		return;
	if (fd >= CLIENTS_MAX || !(clients[fd] = calloc(1, sizeof(struct client))))
		close(fd);
	else
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

static int listen_somewhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 512) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		fail("listen");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(int p)
{
	size_t i = n_waits * (size_t)p / 100;

	return n_waits ? waits[i < n_waits ? i : n_waits - 1] : 0;
}

int main(void)
{
	struct sigaction term = {.sa_handler = on_term};
	struct epoll_event events[64], ev = {.events = EPOLLIN};
	int epoll = epoll_create1(0), listener = listen_somewhere();

	waits = malloc(WAITS_MAX * sizeof(*waits));
	ev.data.fd = listener;
	if (!waits || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) < 0)
		fail("epoll");
	sigaction(SIGTERM, &term, NULL);
	while (!is_over) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take(epoll, listener);
			else
				on_ready(events[i].data.fd);
		}
	}
	qsort(waits, n_waits, sizeof(*waits), by_size);
	printf("{\"requests\": %zu, \"p50 ms\": %.3f, \"p99 ms\": %.3f}\n", n_waits, percentile(50),
	       percentile(99));
	return 0;
}
