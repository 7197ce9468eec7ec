/* Reads request heads before libmicrohttpd does. A separate epoll reports the connections with new
 * octets; the guard looks at them and leaves them in the socket. */
#include "api/http/guard.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/linger.h"
#include "api/http/peer.h"
#include "api/wire/scan.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define EVENTS 64
#define PEEK_MAX (2 * SCAN_POOL_BYTES) /* MHD reads at most SCAN_POOL_BYTES between two looks */

/* In the kernel's headers, whose struct tcp_info is newer than libc's. */
#define STATE_ESTABLISHED 1
#define STATE_CLOSE_WAIT 8

int guard_init(struct http_server *s)
{
	s->guard_fd = s->is_tls ? -1 : epoll_create1(EPOLL_CLOEXEC);
	return s->is_tls || s->guard_fd >= 0 ? 0 : -1;
}

void guard_deinit(struct http_server *s)
{
	if (s->guard_fd >= 0)
		close(s->guard_fd);
	s->guard_fd = -1;
}

void guard_add(struct peer *p)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = p};

	p->is_counted = true;
	/* Without the guard, clients get MHD's own pages. */
	if (p->server->guard_fd >= 0)
		epoll_ctl(p->server->guard_fd, EPOLL_CTL_ADD, p->fd, &event);
}

/* The next guard_check looks at the connection again: more octets may be there than were looked at.
 */
static void look_again(struct peer *p)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = p};

	epoll_ctl(p->server->guard_fd, EPOLL_CTL_MOD, p->fd, &event);
}

void guard_remove(struct peer *p)
{
	if (p->server->guard_fd >= 0)
		epoll_ctl(p->server->guard_fd, EPOLL_CTL_DEL, p->fd, NULL);
	buf_deinit(&p->seen);
}

bool guard_saw_end(const struct peer *p)
{
	return p->is_chunked && p->is_counted && p->chunks.step == CHUNKS_DONE;
}

/* Counts the octets that MHD has read from this connection. false: not known. */
static bool count_read(const struct peer *p, uint64_t *octets)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int unread = 0;

	/* The order matters: octets that arrive in between make the count too large, never too
	 * small. The client's end of the stream counts as an octet. */
	if (!p->is_counted || ioctl(p->fd, FIONREAD, &unread) < 0 ||
	    getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    (info.tcpi_state != STATE_ESTABLISHED && info.tcpi_state != STATE_CLOSE_WAIT))
		return false;
	*octets = (uint64_t)info.tcpi_bytes_received - (uint64_t)unread -
		  (info.tcpi_state == STATE_CLOSE_WAIT);
	return true;
}

/* True if MHD has read only octets of the ended requests and the first n after them. If not, the
 * octets in the socket do not follow p->seen. */
static bool is_in_step(const struct peer *p, size_t n)
{
	uint64_t octets;

	return count_read(p, &octets) && octets <= p->octets + n;
}

/* Peeks at the octets after the first `from` ones of this connection. Returns their number, or -1:
 * MHD has read some of them. *bytes is valid until the next call. */
static ssize_t peek(struct peer *p, uint64_t from, const char **bytes)
{
	static char buffer[PEEK_MAX];
	uint64_t octets;
	ssize_t n;

	if (!count_read(p, &octets) || octets > from)
		return -1;
	n = recv(p->fd, buffer, sizeof(buffer), MSG_PEEK | MSG_DONTWAIT);
	if (n == (ssize_t)sizeof(buffer))
		look_again(p);
	if (n <= 0 || (uint64_t)n <= from - octets)
		return 0;
	*bytes = buffer + (from - octets);
	return n - (ssize_t)(from - octets);
}

/* After this MHD cannot add its own page, and closes. */
static void end_our_side(struct peer *p)
{
	int copy = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);

	peer_enter(p, PEER_DOOMED, clock_mono_ms());
	if (copy >= 0)
		linger_take(p->server, copy);
	else
		peer_shut(p);
}

static void refuse_peer(struct peer *p, const struct scan *why)
{
	char id[ENGINE_ID_MAX];

	engine_new_id(p->server, id);
	LOG(LOG_INFO, "http.refused", LOG_B("request", id, strlen(id)),
	    LOG_N("status", problem_status(why->problem)), LOG_S("reason", why->detail));
	metric_add(METRIC_REQUESTS_4XX, 1);
	linger_last_words(p->server, p->fd, why->problem, id, why->detail);
	end_our_side(p);
}

/* Returns how many octets belong to the body. */
static size_t scan_body(struct peer *p, const char *bytes, size_t len)
{
	static const struct scan bad = {.problem = PROBLEM_BAD_REQUEST,
					.detail = "The framing of the chunks is malformed."};
	size_t used = 0;

	if (chunks_scan(&p->chunks, bytes, len, &used) == SCAN_BAD)
		refuse_peer(p, &bad);
	p->scanned += used;
	return used;
}

/* Of a chunked body, octets are to come whose framing has to be looked at. */
static bool awaits_body(const struct peer *p)
{
	return p->is_chunked && p->is_counted && p->chunks.step != CHUNKS_DONE &&
	       p->phase != PEER_SENDING && p->phase != PEER_DOOMED;
}

/* Keeps as much as MHD may have read. What does not fit is looked at later. */
static void keep_seen(struct peer *p, const char *bytes, size_t len)
{
	const size_t room = SCAN_POOL_BYTES - p->seen.len;

	buf_append(&p->seen, bytes, len < room ? len : room);
}

static void look_at_body(struct peer *p)
{
	const char *bytes;
	ssize_t n = peek(p, p->scanned, &bytes);
	size_t used;

	if (n <= 0) {
		p->is_counted = n == 0; /* -1: the position in the framing is lost */
		return;
	}
	used = scan_body(p, bytes, (size_t)n);
	if (!guard_saw_end(p))
		return;
	p->is_end_seen = true;
	p->end = p->scanned;
	keep_seen(p, bytes + used, (size_t)n - used);
}

/* Octets that arrive after the end of this request. */
static void look_ahead(struct peer *p)
{
	const char *bytes;
	ssize_t n = peek(p, p->end + p->seen.len, &bytes);

	if (n > 0)
		keep_seen(p, bytes, (size_t)n);
	p->has_news = n < 0 || p->seen.failed;
}

/* A good head is at the beginning of text, which is p->seen or was peeked at. */
static void pass_head(struct peer *p, const struct scan *head, const char *text, size_t len)
{
	bool is_kept = p->seen.len > 0;
	uint64_t size = head->len + head->body_len;

	if (head->is_chunked) {
		p->is_chunked = true;
		p->chunks = (struct chunks){.left = 0};
		p->scanned = p->octets + head->len;
		scan_body(p, text + head->len, len - head->len);
		size = p->scanned - p->octets;
	}
	p->is_end_seen = size <= len && (!head->is_chunked || guard_saw_end(p));
	p->end = p->octets + size;
	if (!p->is_end_seen)
		buf_reset(&p->seen);
	else if (is_kept)
		buf_consume(&p->seen, (size_t)size);
	else
		keep_seen(p, text + size, len - (size_t)size);
}

static void judge_head(struct peer *p, const char *text, size_t len, size_t before)
{
	struct scan head;
	enum scan_verdict verdict = scan_head(text, len, &head);

	if (verdict == SCAN_MORE) {
		if (p->seen.len == 0)
			keep_seen(p, text, len);
		return;
	}
	p->is_head_seen = true;
	if ((verdict != SCAN_GOOD || head.is_chunked) && !is_in_step(p, before))
		p->is_counted = p->is_counted && verdict == SCAN_BAD;
	else if (verdict == SCAN_GOOD)
		pass_head(p, &head, text, len);
	else
		refuse_peer(p, &head);
}

/* Usually all of the head arrives at once, and nothing was read of it. */
static void look_at_new_head(struct peer *p)
{
	static char bytes[SCAN_HEAD_MAX + 1];
	ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		judge_head(p, bytes, (size_t)n, 0);
	if (n < (ssize_t)sizeof(bytes))
		return;
	p->has_news = true;
	if (awaits_body(p) || p->is_end_seen)
		look_again(p);
}

static void look_at_head(struct peer *p)
{
	const size_t before = p->seen.len;
	const char *bytes;
	ssize_t n;

	if (before == 0) {
		look_at_new_head(p);
		return;
	}
	n = peek(p, p->octets + before, &bytes);
	if (n > 0)
		keep_seen(p, bytes, (size_t)n);
	if (n < 0 || p->seen.failed)
		p->is_head_seen = p->has_news = true;
	else
		judge_head(p, buf_text(&p->seen), p->seen.len, before);
}

void guard_next(struct peer *p, uint64_t octets)
{
	bool has_news = p->has_news || p->seen.len > 0;

	if (!p->is_chunked)
		p->octets += octets;
	else if (guard_saw_end(p))
		p->octets = p->scanned;
	else
		p->is_counted = false;
	if (!p->is_end_seen || p->seen.failed)
		buf_reset(&p->seen);
	p->is_head_seen = p->is_chunked = p->is_end_seen = p->has_news = false;
	if (!has_news || p->server->guard_fd < 0 || !p->is_counted || p->is_left_early)
		return;
	if (is_in_step(p, p->seen.len)) {
		if (p->seen.len > 0)
			look_again(p);
		look_at_head(p);
	} else {
		end_our_side(p);
	}
}

static bool awaits_head(const struct peer *p)
{
	return p->phase == PEER_FRESH || p->phase == PEER_IDLE || p->phase == PEER_HEAD;
}

/* ---- libmicrohttpd's own pages ---- */

/* The number of octets of this connection that were looked at. */
static uint64_t count_seen(const struct peer *p)
{
	if (!p->is_head_seen)
		return p->octets + p->seen.len;
	if (p->is_end_seen)
		return p->end + p->seen.len;
	return p->is_chunked ? p->scanned : p->end;
}

/* True if MHD has read octets of a request that were not looked at, and no handler has begun. */
static bool is_in_doubt(const struct peer *p)
{
	uint64_t octets;

	return (awaits_head(p) || p->phase == PEER_BODY) &&
	       (!count_read(p, &octets) || octets > count_seen(p));
}

void guard_on_log(void *server, const char *format, va_list args)
{
	static const char page[] = "Error processing request (HTTP response code is %u";
	struct scan why = {.problem = PROBLEM_BAD_REQUEST,
			   .detail = "The request is not valid HTTP, or too large."};
	struct http_server *s = server;

	if (s->is_tls || strncmp(format, page, sizeof(page) - 1) != 0)
		return;
	if (va_arg(args, unsigned) == MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE)
		why.problem = PROBLEM_HEAD_TOO_LARGE;
	for (struct peer *p = s->peers; p; p = p->next)
		if (is_in_doubt(p))
			refuse_peer(p, &why);
}

/* ---- the look ---- */

void guard_check(struct http_server *s)
{
	struct epoll_event events[EVENTS];
	/* Each connection once, also those that are to be looked at again. */
	size_t rounds = s->n_peers / EVENTS + 1;
	int n = EVENTS;

	for (; s->guard_fd >= 0 && n == EVENTS && rounds > 0; rounds--) {
		n = epoll_wait(s->guard_fd, events, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (awaits_body(p))
				look_at_body(p);
			else if (p->is_end_seen)
				look_ahead(p);
			else if (awaits_head(p) && !p->is_head_seen)
				look_at_head(p);
			else
				p->has_news = true;
		}
	}
}
