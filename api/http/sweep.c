/* Once a tick: closes connections of peers that are too slow, by the clock and not by idleness, as
 * a byte now and then keeps any idle timer happy. */
#include "api/http/engine.h"

#include <sys/socket.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

void sweep_close(struct connection *c)
{
	c->phase = CONNECTION_DOOMED;
	/* MHD sees the end of the stream and cleans up; the descriptor stays its own. */
	shutdown(c->fd, SHUT_RDWR);
}

static int64_t allowance(const struct http_server *s, const struct connection *c)
{
	int64_t for_bytes = (int64_t)(c->bytes / (uint64_t)s->limits.body_rate) * 1000;

	switch (c->phase) {
	case CONNECTION_FRESH:
		return s->limits.fresh_ms;
	case CONNECTION_IDLE:
		return s->limits.idle_ms;
	case CONNECTION_HEAD:
		return s->limits.head_ms;
	case CONNECTION_BODY:
		return s->limits.body_ms + for_bytes;
	case CONNECTION_SENDING:
		return s->limits.send_ms + for_bytes;
	case CONNECTION_WORK:
	case CONNECTION_DOOMED:
		break;
	}
	return INT64_MAX;
}

/* MHD takes what it reads in one go for all there is, and so misses the end of the stream of a
 * client that half-closed behind its last request. */
static bool has_ended(const struct connection *c)
{
	char byte;

	return c->phase == CONNECTION_IDLE && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void look_at(struct http_server *s, struct connection *c, int64_t now_ms)
{
	if (has_ended(c)) {
		sweep_close(c);
		return;
	}
	if (now_ms - c->since_ms <= allowance(s, c))
		return;
	if (c->phase == CONNECTION_HEAD || c->phase == CONNECTION_BODY) {
		LOG(LOG_INFO, "http.too_slow", LOG_N("bytes", c->bytes),
		    LOG_N("ms", now_ms - c->since_ms));
		linger_last_words(s, c->fd, PROBLEM_TIMEOUT, NULL, NULL);
	}
	sweep_close(c);
}

void sweep(void *server)
{
	struct http_server *s = server;
	int64_t now_ms = clock_mono_ms();

	for (struct connection *c = s->connections; c; c = c->next)
		look_at(s, c, now_ms);
	metric_set(METRIC_LOG_DROPPED, (int64_t)log_dropped());
	loop_timer_set(&s->tick, s->limits.tick_ms);
	/* MHD's own timeouts; nothing else wakes it for them. */
	server_run(s);
}
