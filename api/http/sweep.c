/* Once a tick: closes connections of peers that are too slow. The limits are on total time, because
 * one octet now and then resets any idle timer. */
#include "api/http/sweep.h"

#include <sys/socket.h>

#include "api/http/peer.h"
#include "api/http/linger.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

static int64_t time_for(uint64_t bytes, int64_t rate)
{
	return (int64_t)(bytes / (uint64_t)rate) * 1000;
}

static int64_t limit_ms(const struct http_server *s, const struct peer *c)
{
	switch (c->phase) {
	case PEER_FRESH:
		return s->limits.fresh_ms;
	case PEER_IDLE:
		return s->limits.idle_ms;
	case PEER_HEAD:
		return s->limits.head_ms;
	case PEER_BODY:
		return s->limits.body_ms + time_for(c->bytes, s->limits.body_rate);
	case PEER_SENDING:
		return s->limits.send_ms + time_for(c->bytes, s->limits.send_rate);
	case PEER_DOOMED:
		return s->limits.linger_ms;
	case PEER_WORK:
		break;
	}
	return INT64_MAX;
}

/* MHD stops reading after a short read, and so misses the end of the stream of a client that
 * half-closed directly after its last request. */
static bool has_ended(const struct peer *c)
{
	char byte;

	return c->phase == PEER_IDLE && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void check_peer(struct http_server *s, struct peer *c, int64_t now_ms)
{
	if (has_ended(c)) {
		peer_shut(c);
		return;
	}
	if (now_ms - c->since_ms <= limit_ms(s, c))
		return;
	if (c->phase == PEER_HEAD || c->phase == PEER_BODY) {
		LOG(LOG_INFO, "http.too_slow", LOG_N("bytes", c->bytes),
		    LOG_N("ms", now_ms - c->since_ms));
		linger_last_words(s, c->fd, PROBLEM_TIMEOUT, NULL, NULL);
	}
	peer_shut(c);
}

void sweep_run(void *server)
{
	struct http_server *s = server;
	int64_t now_ms = clock_mono_ms();

	for (struct peer *c = s->peers; c; c = c->next)
		check_peer(s, c, now_ms);
	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&s->tick, s->limits.tick_ms);
	/* MHD's own timeouts; nothing else wakes it for them. */
	engine_run(s);
}
