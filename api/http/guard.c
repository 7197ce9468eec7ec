/* Reads request heads before libmicrohttpd does. A separate epoll reports the connections with new
 * octets; the guard looks at them and leaves them in the socket. */
#include "api/http/guard.h"

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
	buf_deinit(&p->head);
}

void guard_next(struct peer *p, uint64_t octets)
{
	if (!p->is_chunked)
		p->octets += octets;
	else if (p->chunks.step == CHUNKS_DONE)
		p->octets = p->scanned;
	else
		p->is_counted = false;
	p->is_head_seen = p->is_chunked = false;
	buf_deinit(&p->head);
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

/* True if MHD has read exactly the octets that the guard saw. If it read later ones, too, the
 * octets in the socket do not follow p->head. */
static bool is_in_step(const struct peer *p)
{
	uint64_t octets;

	return count_read(p, &octets) && octets == p->octets + p->head.len;
}

static void refuse_peer(struct peer *p, const struct scan *why)
{
	int copy = dup(p->fd);
	char id[ENGINE_ID_MAX];

	engine_new_id(p->server, id);
	LOG(LOG_INFO, "http.refused", LOG_B("request", id, strlen(id)),
	    LOG_N("status", problem_status(why->problem)), LOG_S("reason", why->detail));
	metric_add(METRIC_REQUESTS_4XX, 1);
	linger_last_words(p->server, p->fd, why->problem, id, why->detail);
	peer_enter(p, PEER_DOOMED, clock_mono_ms());
	/* Ends our side: MHD cannot add its own page, and closes. */
	if (copy >= 0)
		linger_take(p->server, copy);
	else
		peer_shut(p);
}

static void scan_body(struct peer *p, const char *bytes, size_t len)
{
	static const struct scan bad = {.problem = PROBLEM_BAD_REQUEST,
					.detail = "The framing of the chunks is malformed."};
	size_t used = 0;

	if (chunks_scan(&p->chunks, bytes, len, &used) == SCAN_BAD)
		refuse_peer(p, &bad);
	p->scanned += used;
}

/* Of a chunked body, octets are to come whose framing has to be looked at. */
static bool awaits_body(const struct peer *p)
{
	return p->is_chunked && p->is_counted && p->chunks.step != CHUNKS_DONE &&
	       p->phase != PEER_SENDING && p->phase != PEER_DOOMED;
}

/* MHD reads at most SCAN_POOL_BYTES before the next look. */
static void look_at_body(struct peer *p)
{
	static char bytes[2 * SCAN_POOL_BYTES];
	uint64_t octets;
	ssize_t n;

	/* MHD read octets that the guard did not see: the position in the framing is lost. */
	if (!count_read(p, &octets) || octets > p->scanned) {
		p->is_counted = false;
		return;
	}
	n = recv(p->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && (uint64_t)n > p->scanned - octets)
		scan_body(p, bytes + (p->scanned - octets),
			  (size_t)n - (size_t)(p->scanned - octets));
	if (n == sizeof(bytes) && awaits_body(p))
		look_again(p);
}

/* bytes: the head and the octets that came with it. */
static void begin_body(struct peer *p, const struct scan *head, const char *bytes, size_t len)
{
	p->is_chunked = true;
	p->chunks = (struct chunks){.left = 0};
	p->scanned = p->octets + head->len;
	if (is_in_step(p))
		scan_body(p, bytes + head->len, len - head->len);
	else
		p->is_counted = false;
}

static void look_at_head(struct peer *p)
{
	static char bytes[SCAN_HEAD_MAX + 1];
	ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	const size_t before = p->head.len;
	size_t len = before + (size_t)n;
	const char *text = bytes;
	enum scan_verdict verdict;
	struct scan head;

	if (n <= 0)
		return;
	if (before) {
		buf_append(&p->head, bytes, (size_t)n);
		text = buf_text(&p->head);
	}
	verdict = p->head.failed ? SCAN_MORE : scan_head(text, len, &head);
	if (verdict == SCAN_MORE) {
		if (!before)
			buf_append(&p->head, bytes, (size_t)n);
		return;
	}
	p->is_head_seen = true;
	p->head.len = before;
	if (verdict == SCAN_BAD && is_in_step(p))
		refuse_peer(p, &head);
	else if (verdict == SCAN_GOOD && head.is_chunked)
		begin_body(p, &head, text, len);
	if (n == sizeof(bytes) && awaits_body(p))
		look_at_body(p);
}

static bool awaits_head(const struct peer *p)
{
	return p->phase == PEER_FRESH || p->phase == PEER_IDLE || p->phase == PEER_HEAD;
}

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
			else if (awaits_head(p) && !p->is_head_seen)
				look_at_head(p);
		}
	}
}
